// Signs in to a dashboard as each who is named and opens the pages that are named for them, then opens the documents
// that are named, with everything in them unfolded. Prints as JSON what axe finds there that is serious or critical, in
// light and in dark, wide and narrow.
'use strict';
const { createRequire } = require('node:module');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

(async () => {
  const { packages, browser: executablePath, url, visits = [], documents = [] } = JSON.parse(readFileSync(0, 'utf8'));
  const load = createRequire(join(packages, 'package.json'));
  const puppeteer = load('puppeteer');
  const axe = readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  const browser = await puppeteer.launch({ executablePath, args, headless: true, timeout: 60000 });
  const page = await browser.newPage();
  page.setDefaultTimeout(60000);
  const found = [];
  const looks = [[1280, 'light'], [400, 'dark']];
  const look = async (path) => {
    for (const [width, scheme] of looks) {
      await page.setViewport({ width, height: 800 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document));
      for (const { id, impact, nodes } of violations) {
        if (impact !== 'serious' && impact !== 'critical') continue;
        found.push(`${path} at ${width}, ${scheme}: ${impact} ${id}: ${nodes.slice(0, 3).map((node) => node.html).join(' ; ')}`);
      }
    }
  };
  try {
    if (url) {
      await page.goto(`${url}/sign-in`);
      await look('sign-in');
    }
    for (const { credential, paths } of visits) {
      await page.goto(`${url}/sign-in`);
      await page.type('#credential', credential);
      await Promise.all([page.waitForNavigation(), page.click('button[type=submit]')]);
      for (const path of paths) {
        const answer = await page.goto(`${url}/${path}`, { waitUntil: 'domcontentloaded' });
        if (answer.status() !== 200) found.push(`${path} was answered ${answer.status()}`);
        await look(path);
      }
    }
    for (const address of documents) {
      await page.goto(address);
      await page.evaluate(() => document.querySelectorAll('details').forEach((part) => { part.open = true; }));
      await look(address);
    }
    console.log(JSON.stringify(found));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
