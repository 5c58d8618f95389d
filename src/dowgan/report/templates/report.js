"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
const skin = () => {
  const ink = dark.matches ? "#c6cdd8" : "#3a4352", grid = dark.matches ? "rgba(255,255,255,.13)" : "rgba(30,50,80,.12)";
  const axis = {gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true};
  return {layout: {font: {color: ink, size: 12, family: "system-ui, sans-serif"}, paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis, hoverlabel: {namelength: -1}}};
};
const drawn = new Set();
const ready = () => {  // the library is only read when the first figure comes into view, so that the page opens at once
  const source = document.getElementById("plotly");
  if (!source) return;
  const script = document.createElement("script");
  script.textContent = source.textContent;
  source.remove();
  document.head.append(script);
};
const narrow = (layout, data) => {  // room for a title and a legend of several lines
  const words = (layout.title?.text ?? "").split(" "), lines = [""];
  words.forEach((w) => { if (lines.at(-1).length + w.length > 42) lines.push(""); lines[lines.length - 1] += (lines.at(-1) ? " " : "") + w; });
  const named = data.filter((t) => t.showlegend !== false && t.name).length;
  const more = 18 * (lines.length - 1) + 20 * (layout.legend && named > 2 ? Math.ceil(named / 2) - 1 : 0);
  if (layout.title) Object.assign(layout.title, {text: lines.join("<br>"), y: 0.98 - 14 * (lines.length - 1) / layout.height});
  Object.assign(layout.margin, {l: 40, r: 6, t: layout.margin.t + more});
  layout.height += more;
};
const draw = (place) => {
  ready();
  const figure = JSON.parse(place.querySelector("script").textContent);
  const layout = figure.layout;
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis/.test(key)) { delete layout[key].gridcolor; delete layout[key].zerolinecolor; }
  }
  layout.template = skin();
  if (innerWidth < 600) narrow(layout, figure.data);
  place.querySelector("script").remove();
  drawn.add(place);
  return Plotly.newPlot(place, figure.data, layout, {responsive: true, displaylogo: false, displayModeBar: innerWidth < 600 ? false : "hover"});
};
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
  }
}, {rootMargin: "500px"});
document.querySelectorAll(".plot").forEach((place) => near.observe(place));
dark.addEventListener("change", () => drawn.forEach((place) => Plotly.relayout(place, {template: skin()})));
addEventListener("beforeprint", () => document.querySelectorAll(".plot > script").forEach((s) => {
  if (s.parentElement.offsetParent) draw(s.parentElement);
}));
const pick = document.getElementById("pick");
const choose = (name) => {  // only the figures of the chosen tag are laid out and drawn
  if (!pick || ![...pick.options].some((o) => o.value === name)) return;
  pick.value = name;
  document.querySelectorAll("section[data-name]").forEach((s) => { s.hidden = s.dataset.name !== name; });
};
if (pick && pick.options.length) {
  const first = document.querySelector("[data-first]");
  choose(first ? first.dataset.first : pick.options[0].value);
  pick.addEventListener("change", () => choose(pick.value));
  document.querySelectorAll("[data-tag]").forEach((a) => a.addEventListener("click", () => choose(a.dataset.tag)));
  document.querySelectorAll("[data-move]").forEach((b) => b.addEventListener("click", () => {
    const count = pick.options.length;
    choose(pick.options[(pick.selectedIndex + Number(b.dataset.move) + count) % count].value);
  }));
}
