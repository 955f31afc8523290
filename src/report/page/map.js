// The title under the pointer or the keyboard. Without this script the page lacks nothing but that: titles show on hover as tooltips.
"use strict";
(function () {
  const box = document.getElementById("points"), reading = document.getElementById("reading");
  if (!box || !reading) return;
  const dots = Array.from(box.querySelectorAll("circle"));
  const names = Array.from(document.querySelectorAll(".legend li")).map(function (li) { return li.textContent.trim(); });
  const colours = {};
  if (!dots.length) return;
  document.querySelectorAll(".legend rect").forEach(function (rect, at) { colours[getComputedStyle(rect).fill] = names[at]; });
  const place = dots.map(function (dot) { return [+dot.getAttribute("cx"), +dot.getAttribute("cy")]; });
  let now = -1;
  function show(at) {
    if (now >= 0) dots[now].classList.remove("now");
    now = at;
    const dot = dots[at];
    dot.classList.add("now");
    const group = names.length > 1 ? colours[getComputedStyle(dot).fill] : "";
    reading.textContent = (dot.textContent || "(no title)") + (group ? " — " + group : "");
  }
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Map of the embeddings: arrow keys go from point to point");
  box.addEventListener("pointerover", function (event) {
    const at = dots.indexOf(event.target);
    if (at >= 0) show(at);
  });
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  box.addEventListener("keydown", function (event) {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    if (now < 0) return show(0);
    let best = -1, least = Infinity;
    for (let at = 0; at < dots.length; at++) {
      const dx = place[at][0] - place[now][0], dy = place[at][1] - place[now][1];
      const along = dx * step[0] + dy * step[1], aside = Math.abs(dx * step[1]) + Math.abs(dy * step[0]);
      if (along <= 0 || aside > 2 * along) continue;
      const cost = along + 2 * aside;
      if (cost < least) { least = cost; best = at; }
    }
    if (best >= 0) show(best);
  });
})();
