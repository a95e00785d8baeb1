"use strict";
// Filters the matrix, and opens what a link names: `#row` or `#row/step`.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const view = byId("view"), all = byId("all");

// What links name: a row, or one of its violations.
const targets = new Map();
data.rows.forEach(row => {
  targets.set(row.slug, { row, run: row.runs[0] });
  row.runs.forEach(run => targets.set(run[0], { row, run }));
});

// The matrix: which of its rows are shown.
const filters = ["search", "hazard", "revision", "differs", "unexpected"].map(byId);
const lines = [...document.querySelectorAll("#matrix tbody tr:not(.group)")];
const headings = [...document.querySelectorAll("#matrix thead th")].map(head => head.textContent);

function filter() {
  const [search, hazard, revision, differs, unexpected] = filters;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const column = headings.indexOf(revision.value);
  let shown = 0;
  for (const line of lines) {
    const text = line.dataset.text.toLowerCase();
    const cells = column > 0 ? [line.cells[column]] : [...line.cells].slice(1);
    const fits = words.every(word => text.includes(word))
      && cells.some(cell => !cell.classList.contains("unlisted"))
      && (!hazard.value || cells.some(cell => (cell.dataset.hazards || "").split(" ").includes(hazard.value)))
      && (!differs.checked || line.dataset.differs !== undefined)
      && (!unexpected.checked || cells.some(cell => cell.dataset.unexpected !== undefined));
    line.hidden = !fits;
    shown += fits;
  }
  for (const body of document.querySelectorAll("#matrix tbody")) {
    body.hidden = ![...body.rows].some(line => !line.hidden && !line.classList.contains("group"));
  }
  byId("matrix").querySelectorAll("tr").forEach(line => [...line.cells].forEach((cell, number) => {
    if (!line.classList.contains("group")) cell.hidden = column > 0 && number > 0 && number !== column;
  }));
  byId("count").textContent = shown === lines.length ? `${shown} scenarios` : `${shown} of ${lines.length} scenarios`;
}
for (const one of filters) one.addEventListener("input", filter);
byId("filters").addEventListener("submit", event => event.preventDefault());

// The view of one row.
let open = null, cameFrom = null;

function verdictTabs(row, run) {
  const scenario = data.scenarios[row.scenario];
  const tabs = scenario.rows.flatMap(number => {
    const other = data.rows[number];
    const runs = other.runs.length ? other.runs : [[other.slug, other.verdict]];
    return runs.map(([slug, word]) => make("a", {
      href: "#" + slug, class: other.verdict, "aria-current": other === row && (!run || run[0] === slug) ? "page" : null,
    }, make("b", {}, other.revision), ` ${{ verified: "✓", violated: "✗", inconclusive: "?" }[other.verdict]} ${word}`));
  });
  return make("nav", { class: "tabs", "aria-label": "This scenario by revision" }, ...tabs);
}

function copyButton(text) {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Select the text to copy it"; }
  });
  return button;
}

function folded(title, ...children) {
  return make("details", {}, make("summary", {}, title), ...children);
}

function openRow({ row, run }) {
  const scenario = data.scenarios[row.scenario];
  const title = make("h2", { tabindex: "-1" }, scenario.title);
  const parts = [
    make("p", { class: "back" }, make("a", { href: "#" }, "← All verdicts")), title,
    make("p", { class: "name" }, scenario.name, " on ", make("b", {}, row.revision)), verdictTabs(row, run),
  ];
  let stepper = null;
  if (run) {
    const [, id, number] = run;
    const violation = JSON.parse(byId(`run-${number}`).textContent);
    stepper = new Stepper(row, run, violation);
    parts.push(make("p", { class: "hazard" }, make("b", {}, `✗ ${id}`), ` ${violation.hazard}.`));
    if (violation.others) parts.push(make("p", {}, `${violation.others} more of the same kind on other objects.`));
    if (violation.explained) parts.push(make("p", { class: "explained" }, violation.explained));
    parts.push(stepper.node);
    const text = byId(`text-${number}`).querySelector("pre").textContent;
    parts.push(folded("As text for a mail", copyButton(text), make("pre", { tabindex: "0" }, text)));
  } else {
    parts.push(make("p", { class: `banner ${row.verdict}` }, `${row.verdict}`));
  }
  const facts = [row.guarantee + "."].concat(row.warnings.map(warning => `Warning: ${warning}.`));
  if (row.expected) facts.push(`Expected: ${row.expected.length ? row.expected.join(", ") : "verified"}${row.asExpected ? "" : ", which is not what was found"}.`);
  parts.push(make("h3", {}, "What was covered"), ...facts.map(fact => make("p", {}, fact)));
  parts.push(make("h3", {}, "The scenario"));
  if (scenario.about) parts.push(make("p", {}, scenario.about));
  if (scenario.source) parts.push(make("p", {}, "After ", scenario.source, "."));
  parts.push(folded(`Its text, ${scenario.path}`, copyButton(scenario.text), make("pre", { tabindex: "0" }, scenario.text)));
  view.replaceChildren(...parts);
  view.hidden = false;
  all.hidden = true;
  if (stepper) stepper.build();
  title.focus({ preventScroll: true });
  scrollTo(0, 0);
  return stepper;
}

// A violation to step through.
class Stepper {
  constructor(row, run, violation) {
    Object.assign(this, { row, run, violation, strings: data.strings, story: violation.story, at: 0, opened: new Set(), timer: null });
    this.steps = unpack(this.story, this.strings);
    const count = this.steps.length;
    const button = (text, label, press) => {
      const node = make("button", { type: "button", "aria-label": label, title: label }, text);
      node.addEventListener("click", press);
      return node;
    };
    this.playing = button("▶ Play", "Play", () => this.play());
    this.playing.removeAttribute("aria-label");
    this.slider = make("input", { type: "range", min: 0, max: count, value: 0, "aria-label": "Step" });
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.folds = make("button", { type: "button", "aria-pressed": "false" }, "Show every step");
    this.folds.addEventListener("click", () => this.openAll(this.opened !== "all"));
    this.count = make("span", { class: "count" });
    const controls = [
      button("|◀", "First", () => this.go(0)), button("◀", "Back", () => this.go(this.at - 1)), this.playing,
      button("▶", "Next", () => this.go(this.at + 1)), button("▶|", "Last", () => this.go(count)), this.slider, this.count,
    ];
    if (this.story.folded.length) controls.push(this.folds);
    if (violation.elsewhere) {
      this.compare = make("button", { type: "button", "aria-pressed": "false" }, `Compare with ${violation.elsewhere.revision}`);
      this.compare.addEventListener("click", () => this.compareWith(!this.comparing));
      controls.push(this.compare);
    }
    this.live = make("p", { class: "live", "aria-live": "polite" });
    this.lanes = make("div", { class: "lanes", tabindex: "0", role: "region", "aria-label": `Tasks of the run on ${row.revision}; the run in words is below` });
    this.other = make("div", { class: "lanes", tabindex: "0", role: "region", hidden: true, "aria-label": "The same run on another revision" });
    this.memory = make("div", { class: "memory", tabindex: "0", role: "region", "aria-label": "Memory as a picture; in words below it" });
    this.cells = make("tbody");
    this.where = make("ol", { class: "where" });
    this.source = make("div", { class: "source" });
    this.tasks = make("ul", { class: "tasks" });
    this.mutexes = make("ul", { class: "tasks" });
    this.why = make("p", { class: "why", hidden: true });
    this.wideCells = folded("Memory in words", make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "cell"), make("th", { scope: "col" }, "value"))), this.cells));
    this.columns = make("div", { class: "columns" },
      make("div", { class: "pair" },
        make("div", { class: "one" }, make("h3", { class: "which" }, row.revision), this.lanes),
        this.otherSide = make("div", { class: "one", hidden: true }, make("h3", { class: "which" }, violation.elsewhere ? violation.elsewhere.revision : ""), this.other)),
      make("div", { class: "side" },
        make("h3", {}, "Where"), this.where, this.source,
        make("h3", {}, "Memory"), this.memory, this.wideCells,
        make("h3", {}, "Mutexes"), this.mutexes,
        make("h3", {}, "Tasks from here"), this.tasks));
    this.key = make("p", { class: "key" });
    this.node = make("div", { class: "stepper" },
      make("div", { class: "controls", role: "group", "aria-label": "Steps" }, ...controls, this.live), this.why, this.columns, this.key, this.inWords());
    this.node.addEventListener("keydown", event => this.press(event));
  }

  // Everything that needs to know how wide the page is.
  build() {
    this.drawAll();
    this.places = placeObjects(this.violation.memory, this.strings, Math.max(260, this.memory.clientWidth));
    this.resized = new ResizeObserver(() => {
      if (!this.lanes.isConnected || this.width === this.lanes.clientWidth) return;
      this.drawAll();
      this.places = placeObjects(this.violation.memory, this.strings, Math.max(260, this.memory.clientWidth));
      this.show();
    });
    this.resized.observe(this.lanes);
  }

  drawAll() {
    this.width = this.lanes.clientWidth;
    const handlers = { onStep: at => this.go(at), onFold: first => this.fold(first), opened: this.opened };
    const elsewhere = this.violation.elsewhere;
    const marks = new Map(), there = new Map();
    if (this.comparing) {
      elsewhere.pairs.forEach((pair, step) => { if (pair === null) marks.set(step, { class: "only", sign: "−" }); });
      elsewhere.extra.forEach((extra, step) => { if (extra) there.set(step, { class: "extra", sign: "+" }); });
    }
    this.drawn = drawLanes(this.story, this.strings, { width: this.width - 2, marks, ...handlers });
    this.lanes.replaceChildren(...this.drawn.node);
    if (this.comparing) {
      const end = { text: elsewhere.why, bad: Boolean(elsewhere.story.hazard) };
      this.otherOpened = this.opened === "all" ? "all" : this.otherOpened || new Set();
      this.drawnThere = drawLanes(elsewhere.story, this.strings, {
        width: this.other.clientWidth - 2, marks: there, opened: this.otherOpened,
        onStep: at => this.go(this.fromThere(at)),
        onFold: first => { this.toggle(this.otherOpened, first); this.drawAll(); this.show(); },
        end: elsewhere.story.hazard ? null : end,
      });
      this.other.replaceChildren(...this.drawnThere.node);
    }
    const letters = [...this.drawn.letters].map(([mutex, letter]) => `${letter} ${mutex}`);
    this.key.replaceChildren(
      letters.length ? make("span", {}, "Bars are mutexes that a task holds, dashed while it waits: ", make("b", {}, letters.join(", ")), ". ") : "",
      "Arrow keys, Home and End step; space plays.");
  }

  toggle(set, first) { if (set !== "all") set.has(first) ? set.delete(first) : set.add(first); }

  fold(first) {
    if (this.opened === "all") this.opened = new Set();
    else this.toggle(this.opened, first);
    this.folds.setAttribute("aria-pressed", "false");
    this.drawAll();
    this.show();
  }

  openAll(yes) {
    this.opened = yes ? "all" : new Set();
    this.otherOpened = new Set();
    this.folds.setAttribute("aria-pressed", String(yes));
    this.drawAll();
    this.show();
  }

  compareWith(yes) {
    this.comparing = yes;
    this.compare.setAttribute("aria-pressed", String(yes));
    this.columns.classList.toggle("comparing", yes);
    this.otherSide.hidden = this.other.hidden = !yes;
    this.why.hidden = !yes;
    this.why.replaceChildren(make("b", {}, `On ${this.violation.elsewhere.revision}: `), this.violation.elsewhere.why);
    this.drawAll();
    this.show();
  }

  // How far the run is on the other revision: up to what comes before the counterpart of the next common step.
  there() {
    const { pairs, story } = this.violation.elsewhere;
    if (this.at >= pairs.length) return story.actor.length;
    return Math.max(0, ...pairs.slice(0, this.at).map(pair => pair === null ? 0 : pair + 1));
  }

  fromThere(at) {
    const { pairs } = this.violation.elsewhere;
    const before = pairs.findLastIndex(pair => pair !== null && pair < at);
    return before + 1;
  }

  go(at, stop = true) {
    if (stop) this.stop();
    this.at = Math.max(0, Math.min(this.steps.length, at));
    history.replaceState(null, "", `#${this.run[0]}${this.at ? "/" + this.at : ""}`);
    this.show();
  }

  play() {
    if (this.timer) return this.stop();
    if (this.at === this.steps.length) this.go(0);
    this.playing.textContent = "❚❚ Pause";
    this.timer = setInterval(() => this.at < this.steps.length ? this.go(this.next(), false) : this.stop(), 1100);
  }

  // The next step that is not folded.
  next() {
    let at = this.at + 1;
    while (at < this.steps.length && this.steps[at - 1].folded && this.opened !== "all") at++;
    return at;
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.playing.textContent = "▶ Play";
  }

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const on = event.target, inLanes = on === this.lanes || on === this.other;
    if (on === this.slider || on.closest("pre")) return;
    const moves = { ArrowRight: this.at + 1, ArrowLeft: this.at - 1, Home: 0, End: this.steps.length };
    if (inLanes) Object.assign(moves, { ArrowDown: this.at + 1, ArrowUp: this.at - 1 });
    if (event.key in moves) this.go(moves[event.key]);
    else if (event.key === " " && inLanes) this.play();
    else return;
    event.preventDefault();
  }

  words(at) {
    if (!at) return `At the start, before step 1 of ${this.steps.length}.`;
    const step = this.steps[at - 1];
    const inside = step.stack.length ? `, in ${step.stack[step.stack.length - 1]}` : "";
    const end = at === this.steps.length && this.violation.hazard ? ` ✗ ${this.run[1]}.` : "";
    return `${step.name}${inside}: ${step.words}.${end}`;
  }

  show() {
    const { at, strings, violation } = this, step = this.steps[at - 1];
    const row = this.drawn.show(at);
    this.scroll(this.lanes, row);
    // What goes wrong at the end of all tasks stands at the left.
    if (at === this.steps.length && this.story.hazard && this.story.bad === undefined) this.lanes.scrollLeft = 0;
    if (this.comparing) this.scroll(this.other, this.drawnThere.show(this.there()));
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", `step ${at} of ${this.steps.length}`);
    this.count.textContent = `${at} of ${this.steps.length}`;
    this.live.textContent = this.words(at);
    this.live.classList.toggle("bad", at === this.steps.length);
    this.where.replaceChildren(...(step ? step.stack : []).map((call, depth) => make("li", { style: `--deep:${depth}` }, call)));
    this.source.replaceChildren(...(step ? this.sourceLines(step) : []));
    this.memory.replaceChildren(drawMemory(violation.memory, strings, this.places, at));
    this.cells.replaceChildren(...memoryWords(violation.memory, strings, at).map(({ name, value, changed }) =>
      make("tr", { class: changed ? "changed" : null }, make("th", { scope: "row" }, name), make("td", {}, value, changed ? make("b", {}, " changed") : null))));
    const tasks = new Map();
    for (const delta of violation.tasks.slice(0, at + 1)) {
      for (const [task, words, ready] of delta) words === undefined ? tasks.delete(task) : tasks.set(task, [words, ready]);
    }
    const end = at === this.steps.length && this.story.bad !== undefined;
    this.tasks.replaceChildren(...(end ? [make("li", {}, "The run ends here.")] : [...tasks].map(([task, [words, ready]]) =>
      make("li", { class: ready ? null : "waits" }, make("b", {}, strings[task]), ready ? " could go on: " : " waits for ", strings[words]))));
    const held = (this.story.locks || []).filter(([, , from, to]) => from < at && (at <= to || to >= this.steps.length));
    this.mutexes.replaceChildren(...held.map(([actor, mutex]) =>
      make("li", {}, make("b", {}, strings[mutex]), ` is held by ${strings[this.story.actors[actor]]}`)));
    if (!held.length) this.mutexes.append(make("li", {}, "None is held."));
  }

  // Scrolls a region, and not the page, so that a row is seen.
  scroll(region, row) {
    if (!row) { region.scrollTop = 0; return; }
    const heads = 30, top = row.top + heads, bottom = top + row.height;
    if (top < region.scrollTop + heads + 20) region.scrollTop = Math.max(0, top - heads - 60);
    else if (bottom > region.scrollTop + region.clientHeight - 40) region.scrollTop = bottom - region.clientHeight + 90;
    if (row.x < region.scrollLeft || row.right > region.scrollLeft + region.clientWidth) region.scrollLeft = Math.max(0, row.x - 40);
  }

  sourceLines(step) {
    const place = make("p", { class: "place" }, `${step.file}:${step.line}`, step.added ? make("b", {}, " added by the patch") : null);
    const known = data.sources[step.file] || {};
    const numbers = step.text === null ? Object.keys(known).map(Number).filter(line => Math.abs(line - step.line) <= 4) : [step.line];
    const text = line => step.text === null ? known[line] : step.text;
    const margin = Math.min(...numbers.map(text).filter(line => line.trim()).map(line => line.length - line.trimStart().length));
    const lines = numbers.map(line => make("span", { class: line === step.line ? "now" : null },
      make("i", {}, String(line).padStart(5)), (line === step.line ? " ▸ " : "   ") + text(line).slice(margin) + "\n"));
    return [place, make("pre", { tabindex: "0" }, ...lines)];
  }

  // The diagram in words: what each task does, and which step follows from which.
  inWords() {
    const links = new Map();
    for (const [kind, from, to, what] of this.story.links) {
      const words = {
        stored: `read at step ${to + 1}`, carried: `used at step ${to + 1}`, ended: `used after that at step ${to + 1}`,
        changed: `met at step ${to + 1}`, started: `starts ${this.strings[what]} (step ${to + 1})`, queued: `runs at step ${to + 1}`,
      }[kind];
      links.set(from, (links.get(from) || []).concat(kind === "started" ? words : `${this.strings[what]} is ${words}`.replace("is runs", "runs")));
    }
    const items = this.steps.map(step => make("li", { class: step.bad ? "bad" : null },
      make("a", { href: `#${this.run[0]}/${step.number + 1}` }, this.words(step.number + 1)),
      links.has(step.number) ? ` → ${links.get(step.number).join("; ")}.` : ""));
    const ends = (this.story.waiting || []).concat(this.story.racing || []).map(one =>
      make("li", { class: one.bad ? "bad" : null }, `At the end ${this.strings[this.story.actors[one.actor]]} ${this.strings[one.words]}.`));
    return folded("The run in words", make("ol", {}, ...items, ...ends));
  }
}

function route() {
  const hash = decodeURIComponent(location.hash.slice(1));
  const numbered = /^(.*)\/(\d+)$/.exec(hash);
  const [slug, step] = targets.has(hash) || !numbered ? [hash, 0] : [numbered[1], Number(numbered[2])];
  const target = targets.get(slug);
  if (open && (!target || open.slug !== slug)) {
    if (open.stepper) { open.stepper.stop(); open.stepper.resized.disconnect(); }
    open = null;
  }
  if (!target) {
    view.hidden = true;
    view.replaceChildren();
    all.hidden = false;
    if (cameFrom) { cameFrom.focus(); cameFrom = null; }
    return;
  }
  if (!open) open = { slug, stepper: openRow(target) };
  if (open.stepper) open.stepper.go(step);
}
all.addEventListener("click", event => { cameFrom = event.target.closest("a") || cameFrom; });
addEventListener("hashchange", route);
filter();
route();
