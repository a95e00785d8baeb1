"use strict";
// Memory as a graph of objects: a box for each, with the cells that matter; an arrow for each pointer and each
// member of a list. Boxes keep their places while one steps.

// The values of all cells at a place of the run: by number of the cell the value, if there is one.
function memoryAt(memory, at) {
  const values = new Map();
  for (let place = 0; place <= at; place++) {
    const delta = memory.deltas[place] || [];
    for (let next = 0; next < delta.length; next += 2) {
      if (delta[next + 1] < 0) values.delete(delta[next]); else values.set(delta[next], memory.values[delta[next + 1]]);
    }
  }
  return values;
}

// Boxes and their places: objects that point to others on one side, those on the other.
function placeObjects(memory, strings, width) {
  const objects = new Map();
  memory.cells.forEach(([object, field], cell) => {
    const name = strings[object];
    if (!objects.has(name)) objects.set(name, { name, cells: [], depth: -1, to: new Set(), length: name.length, ends: false });
    const box = objects.get(name);
    if (strings[field]) box.cells.push({ cell, field: strings[field] }); else box.own = cell;
  });
  const seen = memory.cells.map(() => new Set());
  for (const delta of memory.deltas) {
    for (let next = 0; next < delta.length; next += 2) if (delta[next + 1] >= 0) seen[delta[next]].add(memory.values[delta[next + 1]]);
  }
  for (const box of objects.values()) {
    if (box.own !== undefined) box.ends = [...seen[box.own]].some(value => value.life !== "alive");
    for (const { cell, field } of box.cells) {
      for (const value of seen[cell]) {
        box.length = Math.max(box.length, field.length + 3 + strings[value.text].length);
        for (const to of value.to || []) if (objects.has(strings[to]) && strings[to] !== box.name) box.to.add(strings[to]);
      }
    }
  }
  const pointed = new Set([...objects.values()].flatMap(box => [...box.to]));
  const queue = [...objects.values()].filter(box => !pointed.has(box.name));
  const visit = () => {
    while (queue.length) {
      const box = queue.shift();
      if (box.depth < 0) box.depth = 0;
      for (const name of box.to) {
        const next = objects.get(name);
        if (next.depth < 0) { next.depth = box.depth + 1; queue.push(next); }
      }
    }
  };
  visit();
  for (const box of objects.values()) if (box.depth < 0) { box.depth = 0; queue.push(box); visit(); }

  const two = width >= 400 && objects.size > 1;
  const column = two ? (width - 52) / 2 : width - 40;
  const ends = [4, 4];
  const order = [...objects.values()].sort((one, other) => one.depth - other.depth);
  for (const box of order) {
    box.side = two ? box.depth % 2 : 0;
    box.x = box.side ? column + 52 - 2 : 2;
    box.width = Math.min(column, Math.max(120, box.length * 6.7 + 16));
    if (box.side) box.x += column - box.width;
    box.room = Math.floor((box.width - 14) / 6.7);
    box.y = ends[box.side];
    box.top = 24 + (box.ends ? 16 : 0);
    box.height = box.top + box.cells.length * 16 + 4;
    ends[box.side] += box.height + 14;
  }
  return { boxes: order, width, height: Math.max(...ends), two };
}

// Draws memory at a place of the run.
function drawMemory(memory, strings, places, at) {
  const now = memoryAt(memory, at), before = at ? memoryAt(memory, at - 1) : now;
  const picture = draw("svg", { width: places.width, height: places.height, viewBox: `0 0 ${places.width} ${places.height}`, "aria-hidden": "true", class: "memory-svg" });
  picture.append(draw("defs", {}, draw("marker", { id: "head-points", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" },
    draw("path", { d: "M0 0L8 4L0 8z", class: "head points" }))));
  const byName = new Map(places.boxes.map(box => [box.name, box]));
  const arrows = [];
  for (const box of places.boxes) {
    const own = box.own === undefined ? undefined : now.get(box.own);
    const life = own ? own.life : "alive", fresh = box.own !== undefined && own !== before.get(box.own);
    const group = draw("g", { class: `object ${life}${fresh ? " changed" : ""}` },
      draw("rect", { x: box.x, y: box.y, width: box.width, height: box.height, rx: 6 }));
    const word = { alive: "alive", freed: "✗ freed", retired: "✗ unregistered", absent: "not allocated" }[life];
    group.append(draw("text", { x: box.x + 8, y: box.y + 16, class: "object-name" }, box.name));
    if (box.ends) group.append(draw("text", { x: box.x + 8, y: box.y + 32, class: "life" }, word));
    box.cells.forEach(({ cell, field }, line) => {
      const value = now.get(cell), y = box.y + box.top + line * 16;
      const changed = value !== before.get(cell);
      const text = `${field} = ${value ? strings[value.text] : "gone"}`;
      if (changed) group.append(draw("rect", { x: box.x + 3, y, width: box.width - 6, height: 16, class: "cell-changed" }));
      group.append(draw("text", { x: box.x + 8, y: y + 12, class: value ? "" : "gone" }, draw("title", {}, text),
        text.length > box.room ? text.slice(0, box.room - 1) + "…" : text));
      for (const to of (value && value.to) || []) {
        if (byName.has(strings[to]) && strings[to] !== box.name) arrows.push([box, y + 8, byName.get(strings[to]), changed]);
      }
    });
    picture.append(group);
  }
  for (const [from, y, to, changed] of arrows) {
    const target = to.y + 12;
    const [x1, x2, bend] = from.side === to.side
      ? (from.side ? [from.x, to.x, -26] : [from.x + from.width, to.x + to.width, 26])
      : (from.side ? [from.x, to.x + to.width, -20] : [from.x + from.width, to.x, 20]);
    const second = from.side === to.side ? x2 + bend : x2 - bend;
    picture.append(draw("path", { d: `M${x1} ${y}C${x1 + bend} ${y} ${second} ${target} ${x2} ${target}`, class: changed ? "points changed" : "points", "marker-end": "url(#head-points)" }));
  }
  return picture;
}

// The same in words: each cell with its value, those that this step changed first.
function memoryWords(memory, strings, at) {
  const now = memoryAt(memory, at), before = at ? memoryAt(memory, at - 1) : now;
  const rows = [];
  memory.cells.forEach(([object, field], cell) => {
    const value = now.get(cell);
    if (!value && !before.get(cell)) return;
    const name = strings[field] ? `${strings[object]}.${strings[field]}` : strings[object];
    rows.push({ name, value: value ? strings[value.text] : "gone", changed: value !== before.get(cell) });
  });
  return rows.sort((one, other) => other.changed - one.changed);
}
