"use strict";
// The tasks of a run as lanes: one a task, time downwards. Calls are nested spans, mutexes are bars at a
// lane's right edge, arrows tell which step follows from which. Nothing here can be focused: the page says
// the same in words.

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(child => child !== undefined && child !== null));
  return node;
};
const draw = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

// Measures, in pixels: of a character of the monospaced font, of a line, of an indentation.
const CHAR = 7.3, LINE = 17, INDENT = 10, NUMBERS = 34, BAR = 6;

// The columns of a story as one object a step.
function unpack(story, strings) {
  const folded = new Set(story.folded), added = new Set(story.added || []);
  return story.actor.map((actor, number) => ({
    number, actor,
    name: strings[story.actors[actor]],
    stack: story.stacks[story.stack[number]].map(call => strings[call]),
    words: strings[story.words[number]],
    file: strings[story.file[number]],
    line: story.line[number],
    text: story.text && story.text[number] !== null ? strings[story.text[number]] : null,
    added: added.has(number),
    folded: folded.has(number),
    bad: story.bad === number,
  }));
}

// A text in lines of so many characters: broken at spaces, or else after what separates words in names.
function wrap(text, width) {
  const lines = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    if (line && line.length + 1 + rest.length > width) { lines.push(line); line = ""; }
    while (rest.length > width) {
      const at = Math.max(...["_", ".", ",", "(", "/", "-", ">"].map(mark => rest.lastIndexOf(mark, width - 1)));
      const cut = at > 2 ? at + 1 : width;
      lines.push(rest.slice(0, cut));
      rest = rest.slice(cut);
    }
    line = line ? line + " " + rest : rest;
  }
  if (line) lines.push(line);
  return lines.length ? lines : [""];
}

const LINKS = {
  stored: "stored", carried: "still used", ended: "gone, then used", changed: "changed", started: "starts",
  queued: "runs", held: "holds it",
};

// Draws a story. `marks`: by step number a class and a sign, to compare. `onStep(n)` is told of a click;
// `opened` are the first steps of the folds that are open, or "all".
function drawLanes(story, strings, { width, opened, onStep, onFold, marks = new Map(), end = null }) {
  const steps = unpack(story, strings);
  const actors = story.actors.map(name => strings[name]);
  const isOpen = step => opened === "all" || opened.has(step);

  // Rows: calls as they are entered, steps, folds, and what is at the end.
  const rows = [], frames = actors.map(() => []), spans = [];
  const close = frame => { if (frame.row !== undefined) spans.push(frame); };
  const goTo = (actor, stack) => {
    const mine = frames[actor];
    let same = 0;
    while (same < mine.length && same < stack.length && mine[same].call === stack[same]) same++;
    mine.splice(same).forEach(close);
    for (const call of stack.slice(same)) mine.push({ call, actor, depth: mine.length });
  };
  const push = (actor, row) => {
    frames[actor].forEach((frame, depth) => {
      if (frame.row === undefined) {
        rows.push({ kind: "call", actor, depth, text: frame.call, step: row.step });
        frame.row = rows.length - 1;
      }
    });
    rows.push({ actor, depth: frames[actor].length, ...row });
    for (const frame of frames[actor]) frame.last = rows.length - 1;
  };
  for (let at = 0; at < steps.length; at++) {
    const step = steps[at];
    if (story.cycle === at) rows.push({ kind: "cycle", text: "↻ from here on again and again" });
    if (step.folded) {
      let to = at;
      while (to + 1 < steps.length && steps[to + 1].folded && to + 1 !== story.cycle) to++;
      if (at === 0 || !steps[at - 1].folded || at === story.cycle) {
        const whose = new Set(steps.slice(at, to + 1).map(one => one.actor));
        const depth = Math.min(frames[step.actor].filter(frame => frame.row !== undefined).length, step.stack.length);
        rows.push({ kind: "fold", actor: step.actor, depth, step: at, steps: steps.slice(at, to + 1), first: at, many: whose.size });
      }
      if (!isOpen(rows.findLast(row => row.kind === "fold").first)) {
        for (; at < to; at++) goTo(steps[at].actor, steps[at].stack);
        goTo(steps[at].actor, steps[at].stack);
        continue;
      }
    }
    goTo(step.actor, step.stack);
    push(step.actor, { kind: "step", step: at, text: step.words, bad: step.bad, folded: step.folded });
  }
  for (const kind of ["racing", "waiting"]) {
    for (const one of story[kind] || []) {
      goTo(one.actor, one.calls.map(call => strings[call]));
      push(one.actor, { kind: "end", step: steps.length, text: strings[one.words], bad: one.bad, taken: one.taken });
    }
  }
  if (story.hazard && story.bad === undefined) {
    rows.push({ kind: "banner", bad: true, step: steps.length, text: `✗ ${story.id}: ${story.hazard}` });
  }
  if (end) rows.push({ kind: "banner", bad: end.bad, step: steps.length, text: end.text });
  frames.flat().forEach(close);

  // Bars: which mutex a task holds, or waits for, over which steps; a letter for each mutex.
  const letters = new Map();
  const letter = mutex => {
    if (!letters.has(mutex)) letters.set(mutex, String.fromCharCode(65 + letters.size % 26));
    return letters.get(mutex);
  };
  const bars = [];
  for (const [actor, mutex, from, to] of story.locks || []) bars.push({ actor, mutex, from, to, held: true });
  for (const [actor, words, mutex, from, to] of story.waits || []) bars.push({ actor, mutex, words, from, to });
  bars.sort((one, other) => one.from - other.from || other.to - one.to);
  const columns = actors.map(() => []);
  for (const bar of bars) {
    if (bar.mutex !== undefined && bar.mutex !== null) bar.letter = letter(strings[bar.mutex]);
    const mine = columns[bar.actor];
    bar.column = mine.findIndex(free => free <= bar.from);
    if (bar.column < 0) bar.column = mine.length;
    mine[bar.column] = bar.to;
  }

  // Arrows, each with the edge between lanes along which it goes down, and its track there.
  const stepRow = new Map([[steps.length, rows.find(row => row.kind === "banner")]]);
  for (const row of rows) {
    if (row.kind === "fold") for (const step of row.steps) stepRow.set(step.number, row);
    if (row.kind === "step") stepRow.set(row.step, row);
  }
  const arrows = [], tracks = [...actors, ""].map(() => []);
  const arrow = (kind, from, to, what) => {
    if (!from || !to || from === to || from.actor === undefined || (to.actor === undefined && to.kind !== "banner")) return;
    const edge = to.actor > from.actor ? from.actor + 1 : from.actor;
    const [top, bottom] = [rows.indexOf(from), rows.indexOf(to)];
    let track = tracks[edge].findIndex(busy => busy < top);
    if (track < 0) track = tracks[edge].length;
    tracks[edge][track] = bottom;
    arrows.push({ kind, from, to, what, edge, track });
  };
  for (const [kind, from, to, what] of [...story.links].sort((one, other) => one[1] - other[1])) arrow(kind, stepRow.get(from), stepRow.get(to), strings[what]);
  for (const row of rows) if (row.taken !== undefined && row.taken !== null) arrow("held", stepRow.get(row.taken), row, row.text);

  // Where everything is.
  const gutters = columns.map(all => 10 + all.length * (BAR + 5));
  const inner = Math.max(...gutters);
  const before = actors.map((name, actor) => tracks[actor].length ? 8 + tracks[actor].length * 7 : 0);
  const lane = Math.max(215 + inner + Math.max(...before), Math.min(430, (width - NUMBERS) / actors.length));
  const left = actor => NUMBERS + actor * lane;
  const total = NUMBERS + lane * actors.length + (tracks[actors.length].length ? 12 + tracks[actors.length].length * 7 : 0);
  let y = 4;
  for (const row of rows) {
    const indent = row.actor === undefined ? 0 : before[row.actor] + 8 + row.depth * INDENT;
    const room = row.actor === undefined ? Math.min(total, width) - NUMBERS - 24 : lane - indent - gutters[row.actor] - 8;
    row.x = row.actor === undefined ? NUMBERS + 12 : left(row.actor) + indent;
    if (row.kind === "fold") {
      const of = row.many > 1 ? `, of ${row.many} tasks` : "";
      row.text = `${isOpen(row.first) ? "▾" : "▸"} ${row.steps.length} more step${row.steps.length > 1 ? "s" : ""}${of}`;
    }
    row.lines = wrap(row.text, Math.max(12, Math.floor(room / CHAR)));
    // Room for the words of arrows that come in from above.
    if (row.kind === "banner" && arrows.some(link => link.to === row)) y += LINE;
    if (row.bad && row.kind === "step") row.tag = `✗ ${story.id}`;
    row.top = y;
    row.height = (row.lines.length + (row.tag ? 1 : 0)) * LINE + (row.kind === "banner" || row.bad ? 8 : 4);
    row.first = row.x + CHAR * row.lines[0].length;
    row.right = row.x + CHAR * Math.max(...row.lines.map(line => line.length), row.tag ? row.tag.length : 0);
    y += row.height;
  }
  const height = y + 6;
  const endRow = rows.find(row => row.step === steps.length && row.kind !== "call");
  const rowOf = step => stepRow.get(step) || (step >= steps.length ? endRow : undefined);

  const picture = draw("svg", { width: total, height, viewBox: `0 0 ${total} ${height}`, "aria-hidden": "true", class: "lanes-svg" });
  const defs = draw("defs");
  for (const kind of Object.keys(LINKS)) {
    defs.append(draw("marker", { id: `head-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
      draw("path", { d: "M0 0L8 4L0 8z", class: `head ${kind}` })));
  }
  picture.append(defs);
  actors.forEach((name, actor) => picture.append(
    draw("rect", { x: left(actor), y: 0, width: lane, height, class: actor % 2 ? "lane odd" : "lane" })));
  const band = draw("rect", { x: 0, y: 0, width: total, height: 0, class: "band" });
  picture.append(band);
  spans.sort((one, other) => one.depth - other.depth);
  for (const span of spans) {
    const top = rows[span.row].top + 1, bottom = rows[span.last].top + rows[span.last].height - 1;
    const x = left(span.actor) + before[span.actor] + 4 + span.depth * INDENT;
    picture.append(draw("rect", {
      x, y: top, width: Math.max(20, lane - before[span.actor] - gutters[span.actor] - span.depth * (INDENT + 2) - 2), height: bottom - top, rx: 4,
      class: `span depth-${span.depth % 4}`,
    }));
  }
  for (const bar of bars) {
    const from = rowOf(bar.from), to = rowOf(bar.to);
    if (!from) continue;
    const x = left(bar.actor) + lane - gutters[bar.actor] + 6 + bar.column * (BAR + 5);
    const top = bar.held ? from.top + from.height / 2 : from.top + from.height;
    const bottom = bar.to >= steps.length && !to ? height - 4 : Math.max(top + 6, to.top + (bar.held ? to.height / 2 : to.height / 2));
    const what = bar.held ? `${actors[bar.actor]} holds ${strings[bar.mutex]}` : `${actors[bar.actor]} waits for ${strings[bar.words]}`;
    const group = draw("g", { class: bar.held ? "bar" : "bar waits" }, draw("title", {}, what),
      draw("rect", { x, y: top, width: BAR, height: bottom - top, rx: 3, class: bar.letter ? `mutex-${(bar.letter.charCodeAt(0) - 65) % 5}` : "mutex-none" }));
    if (bar.letter) group.append(draw("text", { x: x + BAR / 2, y: top - 2, class: "letter" }, bar.letter));
    picture.append(group);
  }
  // Steps are known by number: what comes later than the one that is shown is paler.
  for (const row of rows) {
    const mark = row.kind === "step" ? marks.get(row.step) : undefined;
    const classes = ["row", row.kind, row.bad ? "bad" : "", row.folded ? "unneeded" : "", mark ? mark.class : ""];
    const group = draw("g", { class: classes.filter(Boolean).join(" ") });
    row.group = group;
    if (row.bad || row.kind === "banner") {
      const wide = row.kind === "banner";
      group.append(draw("rect", {
        x: wide ? NUMBERS + 2 : row.x - 5, y: row.top + 1, height: row.height - 2, rx: 4,
        width: wide ? Math.min(total, width) - NUMBERS - 4 : row.right - row.x + 12, class: "behind",
      }));
    }
    if (row.kind === "step") group.append(draw("text", { x: NUMBERS - 6, y: row.top + LINE - 3, class: "number" }, (mark ? mark.sign : "") + (row.step + 1)));
    row.lines.concat(row.tag ? [row.tag] : []).forEach((line, number) => group.append(
      draw("text", { x: row.x, y: row.top + LINE * (number + 1) - 3 + (row.bad ? 2 : 0), class: row.tag && number === row.lines.length ? "tag" : "" }, line)));
    if (row.kind === "fold") group.addEventListener("click", () => onFold(row.first));
    if (row.kind === "step" || row.kind === "end") group.addEventListener("click", () => onStep(Math.min(row.step + 1, steps.length)));
    picture.append(group);
  }
  // Arrows leave the row, go down between two lanes, and come in along the other row, where only its own task
  // has text: so they cross none.
  for (const link of arrows) {
    const { kind, from, to, what, edge, track } = link;
    if (to.kind === "banner") {
      // What goes wrong at the end has no lane: the arrow comes in from above.
      const y1 = from.top + LINE / 2 + 1, x = left(edge) + 5 + track * 7, x1 = from.x - 6;
      const d = `M${x1} ${y1}H${x + 6}Q${x} ${y1} ${x} ${y1 + 6}V${to.top}`;
      picture.append(draw("path", { d, class: `link ${kind}`, "marker-end": `url(#head-${kind})` }, draw("title", {}, what)));
      picture.append(draw("text", { x: x + 6, y: to.top - 4, "text-anchor": "start", class: `link-text ${kind}` }, LINKS[kind]));
      continue;
    }
    const y1 = from.top + LINE / 2 + 1, y2 = to.top + LINE / 2 + (to.bad ? 3 : 1);
    const x = left(edge) + 5 + track * 7, right = edge > from.actor;
    const x1 = right ? from.first + 5 : from.x - 6;
    const x2 = to.actor >= edge ? to.x - (to.bad ? 7 : 4) : to.right + 7;
    const [r1, r2] = [Math.sign(x - x1) * 6, Math.sign(x2 - x) * 6], down = Math.min(6, (y2 - y1) / 2);
    const d = `M${x1} ${y1}H${x - r1}Q${x} ${y1} ${x} ${y1 + down}V${y2 - down}Q${x} ${y2} ${x + r2} ${y2}H${x2}`;
    picture.append(draw("path", { d, class: `link ${kind}`, "marker-end": `url(#head-${kind})` }, draw("title", {}, what)));
    // The word stands where the row has no other text: in the row that it comes in by, before its lane, or in
    // the row that it leaves, behind it; or else at the text of that.
    const wide = LINKS[kind].length * 6.6, room = left(from.actor) + lane - gutters[from.actor] - from.first;
    let at = { x: x + 8, y: y2 - 4, "text-anchor": "start" };
    if (to.actor < edge) at = { x: x - 6, y: y2 - 4, "text-anchor": "end" };
    else if (to.actor === edge && to.actor !== from.actor) at = { x: x + 5, y: y1 + 4, "text-anchor": "start" };
    else if (to.actor === from.actor) at = room > wide + 14 ? { x: from.first + 9, y: y1 + 3, "text-anchor": "start" } : null;
    if (!at) continue;
    picture.append(draw("text", { ...at, class: `link-text ${kind}` }, LINKS[kind]));
  }

  const head = make("div", { class: "lane-heads", style: `width:${total}px;padding-left:${NUMBERS}px`, "aria-hidden": "true" },
    ...actors.map(name => make("span", { style: `width:${lane}px` }, name)));
  return {
    node: [head, picture], steps, letters, total,
    // Marks the place after so many steps.
    show(at) {
      const current = at ? rowOf(at - 1) : undefined;
      for (const row of rows) {
        row.group.classList.toggle("later", at < steps.length && row.step >= at && row !== current && row.kind !== "banner");
        row.group.classList.toggle("now", row === current);
      }
      band.setAttribute("y", current ? current.top : 0);
      band.setAttribute("height", current ? current.height : 0);
      return current;
    },
  };
}
