"use strict";
// Shows the frames that stand in the page one at a time, and marks in the graph how far the pass has come.
{
  const player = document.getElementById("steps");
  const frames = [...player.querySelectorAll(".frame")];
  const controls = player.querySelector(".controls");
  const range = controls.querySelector("input");
  const buttons = Object.fromEntries([...controls.querySelectorAll("button")].map((b) => [b.dataset.go, b]));
  const parts = new Map([...player.querySelectorAll("svg [data-name]")].map((part) => [part.dataset.name, part]));
  const last = frames.length - 1;
  let now = 0;

  const names = (frame) => `${frame.dataset.nodes} ${frame.dataset.edges}`.split(" ").filter(Boolean);

  function show(place) {
    now = Math.min(last, Math.max(0, place));
    frames.forEach((frame, i) => { frame.hidden = i !== now; });
    for (const part of parts.values()) part.classList.remove("reached", "returned", "now");
    for (const frame of frames.slice(0, now + 1)) {
      const kind = frame.classList.contains("backward") ? "returned" : "reached";
      for (const name of names(frame)) parts.get(name).classList.add(kind);
    }
    for (const name of names(frames[now])) parts.get(name).classList.add("now");
    range.value = now;
    const title = frames[now].querySelector(".title").textContent;
    range.setAttribute("aria-valuetext", `${now + 1} of ${frames.length}: ${title}`);
    controls.querySelector(".where").textContent = `${now + 1} of ${frames.length}`;
    buttons.first.disabled = buttons.back.disabled = now === 0;
    buttons.last.disabled = buttons.forward.disabled = now === last;
  }

  const go = { first: () => 0, back: () => now - 1, forward: () => now + 1, last: () => last };
  const keys = { ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last" };
  for (const [name, button] of Object.entries(buttons)) button.addEventListener("click", () => show(go[name]()));
  range.addEventListener("input", () => show(Number(range.value)));
  document.addEventListener("keydown", (event) => {
    const elsewhere = event.target.closest("input, textarea, select, [contenteditable]");
    if (!(event.key in keys) || elsewhere || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(go[keys[event.key]]());
  });
  player.classList.add("playing");
  player.querySelector(".frames").setAttribute("aria-live", "polite");
  controls.hidden = false;
  show(0);
}
