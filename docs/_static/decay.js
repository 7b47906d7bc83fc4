"use strict";
// Draws the decay of the gradient from the numbers that stand in the page: log10 of what is left, by lag.
{
  const explorer = document.getElementById("decay");
  const data = JSON.parse(document.getElementById("decay-data").textContent);
  const field = (name) => explorer.querySelector(`[name="${name}"]`);
  const now = (name) => explorer.querySelector(`[data-now="${name}"]`);
  const svg = explorer.querySelector("svg");
  const told = explorer.querySelector(".told");
  const BOUNDS = [1, 2, 5, 10, 20, 40, 80]; // few scales, so that a small move of a slider seldom changes them
  const margin = { left: 48, right: 14, top: 14, bottom: 40 };
  const height = 330;

  const superscript = (n) => String(n).replace(/[-\d]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);

  function power(log10) { // as pages.power in the build
    if (log10 >= -1 && log10 < 2) return String(Number((10 ** log10).toPrecision(2)));
    if (log10 >= 2 && log10 < 3) return (10 ** log10).toFixed(0);
    let exponent = Math.floor(log10);
    let mantissa = (10 ** (log10 - exponent)).toFixed(1);
    if (mantissa === "10.0") [mantissa, exponent] = ["1.0", exponent + 1];
    return `${mantissa} × 10${superscript(exponent)}`;
  }

  const amount = (log10) => `<data value="${log10}">${power(log10)}</data>`;
  const bound = (reach) => BOUNDS.find((b) => b >= reach) ?? reach;

  function draw() {
    const cell = data.cells[field("cell").value];
    const place = Number(field("gain").value);
    const [gain, length] = [data.gains[place], Number(field("length").value)];
    const band = cell.by_gain[place];
    now("gain").textContent = gain.toFixed(1);
    field("gain").setAttribute("aria-valuetext", gain.toFixed(1));
    now("length").textContent = `${length} steps`;
    field("length").setAttribute("aria-valuetext", `${length} steps`);

    const [low, median, high] = [band.low, band.median, band.high].map((row) => row.slice(0, length + 1));
    const bottom = -bound(-Math.min(...low)), top = bound(Math.max(...high));
    const width = svg.clientWidth || 600;
    const x = (t) => margin.left + (t / length) * (width - margin.left - margin.right);
    const y = (v) => margin.top + ((top - v) / (top - bottom)) * (height - margin.top - margin.bottom);
    const points = (row) => row.map((v, lag) => `${x(length - lag).toFixed(1)},${y(v).toFixed(1)}`);

    const step = [1, 2, 5, 10, 20].find((s) => (top - bottom) / s <= 8);
    const parts = [];
    for (let v = Math.ceil(bottom / step) * step; v <= top; v += step) {
      const line = `x1="${margin.left}" x2="${width - margin.right}" y1="${y(v)}" y2="${y(v)}"`;
      parts.push(`<line class="${v === 0 ? "one" : "grid"}" ${line}/>`,
        `<text x="${margin.left - 6}" y="${y(v) + 4}" text-anchor="end">${v === 0 ? "1" : `10${superscript(v)}`}</text>`);
    }
    for (const t of [0, Math.round(length / 2), length]) {
      const anchor = t === length ? "end" : "middle";
      parts.push(`<text x="${x(t)}" y="${height - 22}" text-anchor="${anchor}">${t}</text>`);
    }
    const label = "step t; the loss is at the last one, the gradient comes from the right";
    parts.push(`<text x="${margin.left}" y="${height - 4}">${width > 480 ? label : "step t (the loss is at the last one)"}</text>`);
    parts.push(`<polygon class="spread" points="${[...points(low), ...points(high).reverse()].join(" ")}"/>`);
    if (band.slope !== null) {
      // The line stops where the picture does.
      const limit = band.slope < 0 ? bottom : top;
      const reach = band.slope === 0 ? length : Math.min(length, limit / band.slope);
      parts.push(`<line class="theory" x1="${x(length)}" y1="${y(0)}" x2="${x(length - reach)}" y2="${y(band.slope * reach)}"/>`);
    }
    parts.push(`<polyline class="measured" points="${points(median).join(" ")}"/>`,
      `<circle class="end" cx="${x(0)}" cy="${y(median[length])}" r="4"/>`);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.innerHTML = parts.join("");

    const left = median[length];
    const factor = (10 ** (left / length)).toFixed(2);
    const verdict = factor < 0.95 ? "It vanishes" : factor > 1.05 ? "It explodes" : "It about keeps its size";
    const measured = left <= 0
      ? `After ${length} steps back ${amount(left)} of the gradient is left`
      : `After ${length} steps back the gradient is ${amount(left)} times as large`;
    const theory = band.slope === null
      ? "No theory in closed form is known for this cell."
      : `Theory: ${amount(band.slope * length)} (${cell.law}).`;
    told.innerHTML = `<strong>${verdict}.</strong> ${measured} (the ${data.seeds} networks: ${amount(low[length])} to ` +
      `${amount(high[length])}), as if every step multiplied it by ${factor}. ${theory}`;
    svg.setAttribute("aria-label", `${cell.name}, gain ${gain.toFixed(1)}: the gradient's norm by step. ${told.textContent}`);
    explorer.querySelector(".key .theory").hidden = band.slope === null;
  }

  explorer.hidden = false;
  for (const name of ["cell", "gain", "length"]) field(name).addEventListener("input", draw);
  let drawn = 0;
  new ResizeObserver(() => {
    if (svg.clientWidth !== drawn) { drawn = svg.clientWidth; draw(); }
  }).observe(explorer);
  draw();
}
