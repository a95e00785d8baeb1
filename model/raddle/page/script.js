"use strict";
// Steps through the violations of a report. Everything is also in the page as text.
const data = JSON.parse(document.getElementById("data").textContent);
const make = (tag, text, attributes = {}) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const fill = (node, children) => node.replaceChildren(...children);

function stepper(section, violation) {
  const { actors, steps } = violation;
  // The page holds what changes from scene to scene.
  const cells = new Map();
  const scenes = violation.scenes.map(scene => {
    for (const [cell, value] of scene.memory) value === null ? cells.delete(cell) : cells.set(cell, value);
    return { ...scene, memory: [...cells].sort((a, b) => a[0] < b[0] ? -1 : 1) };
  });
  const lanes = section.querySelector(".lanes");
  const live = section.querySelector("[aria-live]");
  const memory = section.querySelector(".memory");
  const locks = section.querySelector(".locks");
  const ready = section.querySelector(".ready");
  const source = section.querySelector(".source");
  const automaton = section.querySelector(".automaton");
  const place = section.querySelector(".place");

  const head = make("tr");
  head.append(make("th", "step", { scope: "col" }), ...actors.map(name => make("th", name, { scope: "col" })));
  const rows = steps.map((step, number) => {
    const row = make("tr");
    row.append(make("th", String(number + 1), { scope: "row" }));
    actors.forEach((name, actor) => {
      const cell = make("td");
      const held = (scenes[number + 1] || { locks: [] }).locks.filter(lock => lock[1] === name).map(lock => lock[0]);
      if (held.length) { cell.className = "held"; cell.title = "holds " + held.join(", "); }
      if (step.actor === actor) {
        cell.append(make("span", step.words, step.bad ? { class: "bad" } : {}));
      }
      row.append(cell);
    });
    row.addEventListener("click", () => go(number + 1));
    return row;
  });
  const table = make("table");
  const thead = make("thead"), tbody = make("tbody");
  thead.append(head);
  tbody.append(...rows);
  table.append(make("caption", "One column a task; a bar at the left of a cell: the task holds a mutex"), thead, tbody);
  lanes.append(table);

  let at = 0;
  function go(number) {
    at = Math.max(0, Math.min(steps.length, number));
    const step = steps[at - 1], scene = scenes[at], before = new Map(at ? scenes[at - 1].memory : []);
    rows.forEach((row, index) => {
      row.className = index >= at ? "later" : "";
      if (index === at - 1) row.setAttribute("aria-current", "step"); else row.removeAttribute("aria-current");
    });
    if (step) {
      const row = rows[at - 1];
      const top = row.offsetTop - lanes.clientHeight / 2;
      lanes.scrollTop = Math.max(0, top);
    }
    const text = step ? `Step ${at} of ${steps.length}, ${actors[step.actor]}` +
      (step.stack.length ? `, in ${step.stack[step.stack.length - 1]}` : "") + `: ${step.words}` +
      (step.bad ? `. ${violation.hazard}` : "") : `At the start, before step 1 of ${steps.length}`;
    live.textContent = text;
    place.textContent = step ? step.stack.join(" > ") : "";
    source.textContent = step ? `${step.at}\n${step.source}` : "";
    fill(memory, scene.memory.map(([cell, value]) => {
      const row = make("tr");
      const changed = at > 0 && before.get(cell) !== value;
      row.append(make("th", cell, { scope: "row" }), make("td", value + (changed ? " (changed)" : ""), changed ? { class: "changed" } : {}));
      return row;
    }));
    fill(locks, scene.locks.length ? scene.locks.map(([lock, task]) => make("li", `${lock} is held by ${task}`)) : [make("li", "no mutex is held")]);
    fill(ready, scene.ready.map(([task, what]) => make("li", `${task} could: ${what}`))
      .concat(scene.waiting.map(([task, what]) => make("li", `${task} waits: ${what}`))));
    const name = step && step.stack.length ? step.stack[step.stack.length - 1].split("(")[0] : "";
    fill(automaton, (data.functions[name] || []).map(([where, what]) =>
      make("li", `${where.split("/").pop()} ${what}`, step && where === step.at ? { class: "now", "aria-current": "step" } : {})));
  }
  section.querySelector(".back").addEventListener("click", () => go(at - 1));
  section.querySelector(".next").addEventListener("click", () => go(at + 1));
  section.addEventListener("keydown", event => {
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: steps.length };
    if (event.key in moves && !event.altKey && !event.ctrlKey && !event.metaKey) {
      go(moves[event.key]);
      event.preventDefault();
    }
  });
  go(0);
}
// A section is built when it comes into view or is used: a run may have hundreds.
document.querySelectorAll(".violation").forEach((section, number) => {
  let built = false;
  const build = () => {
    if (!built) { built = true; stepper(section, data.violations[number]); }
  };
  for (const event of ["focusin", "pointerdown", "keydown"]) section.addEventListener(event, build, { once: true });
  new IntersectionObserver(seen => { if (seen.some(entry => entry.isIntersecting)) build(); }).observe(section);
});
