"""An honest report: every score beside what real data score and what a plain method scores."""

from dowgan.report.judging import compare, report_on
from dowgan.report.page import Report

__all__ = ["Report", "compare", "report_on"]
