"""An honest report: every score beside what real data score and what a plain method scores."""

from dowgan.report.judging import compare, report_on
from dowgan.report.page import Report
from dowgan.report.panel import Panel

__all__ = ["Panel", "Report", "compare", "report_on"]
