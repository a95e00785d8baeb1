// Opens a page of raddle report in Chromium at three sizes and uses it as a reader would: no errors, nothing wider
// than the window, no word broken in a cell, every violation stepped through by keyboard, and no violation
// that axe-core finds.
//
//     node page.mjs CHROMIUM PAGE [ROWS]
//
// ROWS: the page has at least so many rows; it must load within a second and have less than 5 MB. Only some of its
// violations are opened, and axe-core, which takes seconds on so many rows, looks at the matrix and at one of them.
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [executablePath, file, rows] = process.argv.slice(2);
const SIZES = [{ width: 1440, height: 900 }, { width: 820, height: 1100 }, { width: 390, height: 844 }];
const wrong = [];
let where = "";
const expect = (good, what) => { if (!good) wrong.push(`${where}: ${what}`); };

// Rows of the matrix, and what links name.
const slugs = page => page.evaluate(() => data.rows.flatMap(row => row.runs.map(run => run[0])));
const accessible = async (page, what) => {
  const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, nodes } of result.violations) expect(false, `${what}: axe: ${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
};
// Whether something is to be seen, at once or soon: links are followed by an event.
const appears = (page, what) => page.locator(what).waitFor({ state: "visible", timeout: 10000 }).then(() => true, () => false);
const fits = async (page, what) => {
  const [width, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(width <= window, `${what}: the page is ${width} wide, the window ${window}`);
};
// Words of a cell that stand on two lines.
const broken = page => page.evaluate(() => {
  const found = [], range = document.createRange();
  const walker = document.createTreeWalker(document.getElementById("matrix"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest(".sr")) continue;
    for (const word of node.data.matchAll(/[^\s\-/]+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map(rect => Math.round(rect.top)));
      if (tops.size > 1) found.push(word[0]);
    }
  }
  return found;
});
// Text of a picture that sticks out of it.
const outside = page => page.evaluate(() => [...document.querySelectorAll(".lanes-svg")].flatMap(picture => {
  const { right, left } = picture.getBoundingClientRect();
  return [...picture.querySelectorAll(".row text")].filter(text => {
    const box = text.getBoundingClientRect();
    return box.width && (box.right > right + 1 || box.left < left - 1);
  }).map(text => text.textContent);
}));

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
for (const [number, viewport] of SIZES.entries()) {
  where = `${viewport.width} by ${viewport.height}`;
  const page = await browser.newPage({ viewport, colorScheme: number % 2 ? "dark" : "light", reducedMotion: "reduce" });
  page.on("console", message => { if (["error", "warning"].includes(message.type())) expect(false, `console: ${message.text()}`); });
  page.on("pageerror", error => expect(false, `error: ${error.message}`));
  page.on("request", request => expect(/^(file|data|blob):/.test(request.url()), `it asks for ${request.url()}`));
  await page.goto(`file://${file}`);
  await page.evaluate(axe);
  if (rows) {
    // The best of some: the machine may do other things too.
    const loaded = () => page.evaluate(() => performance.getEntriesByType("navigation")[0].domComplete);
    let time = await loaded();
    for (let more = 0; more < 9 && time >= 1000; more++) {
      await page.reload();
      time = Math.min(time, await loaded());
    }
    await page.evaluate(axe);
    const there = await page.evaluate(() => data.rows.length);
    console.log(`${where}: ${there} rows, ${statSync(file).size} bytes, loaded in ${Math.round(time)} ms`);
    expect(there >= Number(rows), `it has ${there} rows`);
    expect(time < 1000, `it loads in ${time} ms`);
    expect(statSync(file).size < 5e6, `it has ${statSync(file).size} bytes`);
  }

  await fits(page, "the matrix");
  if (!rows || number === 0) await accessible(page, "the matrix");
  for (const word of await broken(page)) expect(false, `"${word}" is broken in a cell`);
  const shown = () => page.evaluate(() => [...document.querySelectorAll("#matrix tbody tr:not(.group)")].filter(row => row.checkVisibility()).length);
  const every = await shown();
  await page.check("#differs");
  expect(await shown() === await page.evaluate(() => document.querySelectorAll("#matrix tr[data-differs]").length), "differs between revisions");
  await page.uncheck("#differs");
  const hazard = await page.evaluate(() => document.querySelectorAll("#hazard option")[1].textContent);
  await page.selectOption("#hazard", hazard);
  expect(await page.evaluate(id => [...document.querySelectorAll("#matrix tbody tr:not(.group)")].filter(row => row.checkVisibility()).every(row => row.textContent.includes(id)), hazard), `the filter ${hazard}`);
  await page.selectOption("#hazard", "");
  await page.fill("#search", "no scenario is called this");
  expect(await shown() === 0, "a search that finds nothing");
  await page.fill("#search", "");
  expect(await shown() === every && every > 0, "all are shown again");

  const all = (await slugs(page)).filter((slug, place) => !rows || place % 50 === 0);
  const count = () => page.textContent(".count");
  for (const [place, slug] of all.entries()) {
    // The other sizes have the same pictures, wrapped otherwise: the first of them, and some.
    if (number && place >= 12 && place % 4) continue;
    await page.evaluate(slug => { location.hash = slug; }, slug);
    await page.waitForFunction(slug => open && open.slug === slug && open.stepper, slug);
    where = `${viewport.width} by ${viewport.height}, ${slug}`;
    const steps = await page.evaluate(() => open.stepper.steps.length);
    expect(await count() === `0 of ${steps}`, `the start: ${await count()}`);
    // All are stepped by the page's own keys at one size; elsewhere the first of them.
    if (number === 0 || place < 12) {
      await page.focus(".lanes");
      await page.keyboard.press("ArrowRight");
      expect(await count() === `1 of ${steps}`, `one step: ${await count()}`);
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowLeft");
      expect(await count() === `${Math.min(2, steps) - 1} of ${steps}`, `back: ${await count()}`);
      await page.keyboard.press("End");
      expect(await count() === `${steps} of ${steps}`, `the end: ${await count()}`);
      expect((await page.textContent(".live")).includes("✗"), "the end says what goes wrong");
      expect(await page.evaluate(() => document.querySelectorAll(".lanes-svg .bad").length) > 0, "no step is marked as bad");
      expect((await page.textContent(".source")).trim(), "no source");
      const visible = await page.evaluate(() => {
        const now = document.querySelector(".lanes .row.now"), region = document.querySelector(".lanes");
        const [a, b] = [now.getBoundingClientRect(), region.getBoundingClientRect()];
        return a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
      });
      expect(visible, "the last step is out of sight");
    }
    await fits(page, "a violation");
    for (const text of await outside(page)) expect(false, `"${text}" sticks out`);
    if (place % 40 === 0 && !(rows && number)) {
      await accessible(page, "a violation");
      const button = name => page.getByRole("button", { name });
      if (await button("Show every step").count()) {
        await button("Show every step").click();
        const drawn = await page.evaluate(() => document.querySelectorAll(".lanes:not([hidden]) .row.step").length);
        expect(drawn === steps, `${drawn} of ${steps} steps are drawn`);
      }
      if (await button(/^Compare/).count()) {
        await button(/^Compare/).click();
        expect((await page.textContent(".why")).length > 30, "why the run goes no further");
        await fits(page, "a comparison");
        await accessible(page, "a comparison");
      }
      for (const summary of await page.locator("#view summary").all()) await summary.click();
      await fits(page, "all opened");
      await accessible(page, "all opened");
    }
  }
  where = `${viewport.width} by ${viewport.height}, links`;
  const [first] = all;
  await page.goto(`file://${file}#${first}/1`);
  await page.reload();
  expect((await count()).startsWith("1 of "), `a deep link: ${await count()}`);
  await page.getByRole("link", { name: "← All verdicts" }).click();
  expect(await appears(page, "#matrix"), "back to the matrix");
  await page.evaluate(() => { location.hash = "no/such@row/3"; });
  expect(await appears(page, "#matrix"), "a link to what is not there");
  const verified = await page.evaluate(() => (data.rows.find(row => !row.runs.length) || {}).slug);
  if (verified) {
    await page.evaluate(slug => { location.hash = slug; }, verified);
    await page.waitForSelector("#view .banner");
    await page.evaluate(axe);
    await fits(page, "a verified row");
    if (!rows) await accessible(page, "a verified row");
  }
  await page.emulateMedia({ media: "print" });
  await fits(page, "in print");
  await page.close();
}
await browser.close();
for (const what of wrong.slice(0, 40)) console.log(what);
console.log(`${wrong.length} mistakes`);
process.exit(wrong.length ? 1 : 0);
