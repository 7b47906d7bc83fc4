"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = Int8Array.from(atob(data.bytes), (c) => c.charCodeAt(0));
const at = (id) => document.getElementById(id);
const made = (parent, tag, text) => {
  const element = document.createElement(tag);
  element.textContent = text;
  return parent.appendChild(element);
};
const spans = data.characters.map((c) => made(at("text"), "span", c));
const rows = data.units.map((unit, k) => {
  const row = made(at("list"), "div", "");
  row.id = "row" + k;
  row.setAttribute("role", "option");
  made(row, "b", unit.unit);
  made(row, "span", unit.name);
  row.addEventListener("click", () => show(k));
  return row;
});
let chosen = 0;
function show(k) {
  rows[chosen].setAttribute("aria-selected", "false");
  chosen = k;
  rows[k].setAttribute("aria-selected", "true");
  at("list").setAttribute("aria-activedescendant", rows[k].id);
  const list = at("list"), top = rows[k].offsetTop;
  if (top < list.scrollTop || top + rows[k].offsetHeight > list.scrollTop + list.clientHeight)
    list.scrollTop = top - list.clientHeight / 2;
  const unit = data.units[k], n = spans.length, first = unit.unit * n;
  at("name").textContent = "unit " + unit.unit;
  made(at("name"), "small", unit.name);
  document.querySelectorAll("#one .ramp b").forEach((b) => { b.textContent = unit.scale; });
  at("shares").textContent = unit.shares.map(([name, value]) => name + " " + value.toFixed(2)).join(" · ");
  spans.forEach((span, t) => {
    span.className = "v" + Math.round(bytes[first + t] / 127 * data.steps);
    span.title = (bytes[first + t] / 127 * unit.scale).toFixed(2);
  });
}
document.addEventListener("keydown", (event) => {
  const inList = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, Home: 0, End: rows.length - 1 }; // elsewhere they scroll
  const anywhere = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1 };
  const to = { ...anywhere, ...(document.activeElement === at("list") ? inList : {}) }[event.key];
  if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  if (to >= 0 && to < rows.length) show(to);
});
at("one").hidden = false;
show(0);
