// Looks at reports as a browser, a keyboard, a screen reader and a printer do:
//
//     node check_reports.mjs FOLDER [--shots FOLDER]
//
// Every FOLDER/*.html is opened by file://. It may ask for nothing but itself, log no error, be wider than no screen,
// and axe-core may find nothing serious in it, light, dark, on a narrow screen and on paper. FOLDER/hostile.html, whose
// names are all scripts, must run none of them, even with its Content-Security-Policy taken away; with its escapes
// taken away as well it must run some, or the check itself would see nothing. Needs Debian's chromium (or CHROMIUM).

import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axeSource = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const MOST_BYTES = 2_000_000;
const LOOKS = [
  { name: "light", width: 1280, height: 900, colorScheme: "light" },
  { name: "dark", width: 1280, height: 900, colorScheme: "dark" },
  { name: "narrow", width: 360, height: 780, colorScheme: "light" },
];

let failures = 0;

function check(report, what, good, details = "") {
  if (!good) failures += 1;
  console.log(`${good ? "ok  " : "FAIL"} ${report}: ${what}${details ? ` (${details})` : ""}`);
}

/** A page whose requests, dialogs, errors and executed payloads are noted. */
async function openPage(browser, file, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const seen = { requests: [], dialogs: 0, errors: [] };
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("dialog", (dialog) => { seen.dialogs += 1; dialog.dismiss(); });
  page.on("console", (message) => { if (message.type() === "error") seen.errors.push(message.text()); });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  await page.goto(pathToFileURL(path.resolve(file)).href);
  return { context, page, seen };
}

async function runAxe(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(({ impact, id, nodes }) => ({ impact, id, where: nodes.map((node) => node.target.join(" ")) }));
}

async function checkLook(browser, file, report, look, shots) {
  const { name, width, height, colorScheme } = look;
  const { context, page, seen } = await openPage(browser, file, { viewport: { width, height }, colorScheme });
  const foreign = seen.requests.filter((url) => url !== page.url() && !url.startsWith("data:"));
  check(report, `${name}: asks for nothing`, foreign.length === 0, foreign.slice(0, 3).join(" "));
  check(report, `${name}: no error is logged`, seen.errors.length === 0, seen.errors.slice(0, 2).join(" "));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(report, `${name}: nothing lies outside the screen`, wide <= width, `${wide} of ${width} pixels`);
  if (shots) {
    await page.screenshot({ path: path.join(shots, `${report}-${name}-first.png`) });
    await page.screenshot({ path: path.join(shots, `${report}-${name}.png`), fullPage: true });
  }
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
  const opened = await page.evaluate(() => document.documentElement.scrollWidth);
  check(report, `${name}: nor with all details open`, opened <= width, `${opened} of ${width} pixels`);
  const found = await runAxe(page);
  const serious = found.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, where }) => `${id}: ${where.slice(0, 2).join(", ")}`).join("; ");
  const others = found.length - serious.length;
  check(report, `${name}: axe finds nothing serious`, serious.length === 0, told || `${others} of less weight`);
  for (const { impact, id, where } of found) console.log(`       ${impact} ${id}: ${where.slice(0, 3).join(", ")}`);
  await context.close();
}

/** The tab key reaches everything that does something, the first stop skips the contents, Enter opens details. */
async function checkKeyboard(browser, file, report) {
  const { context, page } = await openPage(browser, file, { viewport: { width: 1280, height: 900 } });
  await page.evaluate(() => {
    window.stops = [...document.querySelectorAll("a[href], summary, [tabindex='0']")].filter((node) => node.checkVisibility());
  });
  const wanted = await page.evaluate(() => window.stops.length);
  const reached = new Set();
  let first = "";
  let visible = true;
  for (let stop = 0; stop < wanted; stop += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const node = document.activeElement;
      return { place: window.stops.indexOf(node), name: node.className, outline: getComputedStyle(node).outlineStyle };
    });
    if (stop === 0) first = at.name;
    visible &&= at.outline !== "none";
    reached.add(at.place);
  }
  check(report, "keyboard: Tab reaches every link and every fold", reached.size === wanted && !reached.has(-1),
    `${reached.size} of ${wanted}`);
  check(report, "keyboard: the first stop skips the contents", first === "skip", first);
  check(report, "keyboard: the focus is seen at every stop", visible);
  await page.locator("a.skip").focus();
  await page.keyboard.press("Enter");
  check(report, "keyboard: the skip link leads to the report", await page.evaluate(() => document.activeElement.id === "report"));
  const fold = page.locator("summary").first();
  await fold.focus();
  await page.keyboard.press("Enter");
  check(report, "keyboard: Enter opens a fold", await fold.evaluate((node) => node.parentElement.open));
  await context.close();
}

/** On paper: dark ink on white even for a reader in the dark, everything unfolded, no contents. */
async function checkPrint(browser, file, report, shots) {
  const { context, page } = await openPage(browser, file, { colorScheme: "dark" });
  const pdf = await page.pdf({ format: "A4", preferCSSPageSize: true });
  check(report, "print: a PDF is made", pdf.subarray(0, 5).toString() === "%PDF-", `${Math.round(pdf.length / 1000)} kB`);
  if (shots) fs.writeFileSync(path.join(shots, `${report}.pdf`), pdf);
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const paper = await page.evaluate(() => ({
    ground: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    contents: getComputedStyle(document.querySelector("nav")).display,
    folded: [...document.querySelectorAll("details > :not(summary)")].filter((node) => !node.checkVisibility()).length,
  }));
  check(report, "print: dark ink on white", paper.ground === "rgb(255, 255, 255)" && paper.ink === "rgb(0, 0, 0)",
    `${paper.ink} on ${paper.ground}`);
  check(report, "print: no contents, and nothing folded", paper.contents === "none" && paper.folded === 0,
    `${paper.folded} folded`);
  await context.close();
}

/** Whether anything of the page ran: a payload sets __xss, opens a dialog or asks for an address. */
async function countRuns(browser, file) {
  const { context, page, seen } = await openPage(browser, file, { viewport: { width: 1280, height: 900 } });
  for (const link of await page.locator("a").all()) await link.hover({ force: true, timeout: 500 }).catch(() => {});
  for (let stop = 0; stop < 30; stop += 1) await page.keyboard.press("Tab");
  await page.waitForTimeout(300);
  const ran = await page.evaluate(() => window.__xss !== undefined);
  const live = await page.evaluate(() =>
    [...document.querySelectorAll("*")].filter((node) =>
      ["SCRIPT", "IFRAME", "OBJECT", "EMBED", "LINK", "BASE", "FORM", "INPUT", "VIDEO", "AUDIO"].includes(node.nodeName.toUpperCase()) ||
      [...node.attributes].some(({ name, value }) => /^on/i.test(name) || /^\s*javascript:/i.test(value) && /href|src|action|data/i.test(name)),
    ).length);
  const asked = seen.requests.filter((url) => !url.startsWith("data:") && !url.startsWith("file:")).length;
  await context.close();
  return { ran, dialogs: seen.dialogs, live, asked };
}

async function checkHostile(browser, file) {
  const report = path.basename(file, ".html");
  const text = fs.readFileSync(file, "utf8");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "hostile-"));
  const open = path.join(folder, "without-policy.html");
  fs.writeFileSync(open, text.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, ""));
  for (const [name, which] of [["with its policy", file], ["without its policy", open]]) {
    const found = await countRuns(browser, which);
    check(report, `payloads ${name}: none runs`, !found.ran && !found.dialogs && !found.live && !found.asked, JSON.stringify(found));
  }
  const raw = path.join(folder, "without-escapes.html");
  const unescaped = fs.readFileSync(open, "utf8").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&#x27;", "'");
  fs.writeFileSync(raw, unescaped);
  const control = await countRuns(browser, raw);
  check(report, "payloads without escapes: some run, so that a hole would be seen", control.ran && control.live > 0, JSON.stringify(control));
  fs.rmSync(folder, { recursive: true });
}

const [folder, option, shots] = process.argv.slice(2);
const files = fs.readdirSync(folder).filter((name) => name.endsWith(".html")).map((name) => path.join(folder, name));
if (option === "--shots") fs.mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const file of files) {
  const report = path.basename(file, ".html");
  const size = fs.statSync(file).size;
  check(report, "under 2 MB", size < MOST_BYTES, `${Math.round(size / 1000)} kB`);
  for (const look of LOOKS) await checkLook(browser, file, report, look, shots);
  await checkKeyboard(browser, file, report);
  await checkPrint(browser, file, report, shots);
  if (report === "hostile") await checkHostile(browser, file);
}
await browser.close();
check("all", `${files.length} reports were looked at`, files.length > 0);
console.log(failures ? `${failures} failed` : "all well");
process.exit(failures ? 1 : 0);
