// Replays flows with the reference replayer. Reads `{ browser, flows: [{ name, document }] }`, and writes a
// line for each flow: `{ name, trouble }`, whose trouble is null if it passed.

const from = require('node:module').createRequire(`${process.env.REPLAY_PACKAGE_DIRECTORY}/`);
const { createRunner, parse, PuppeteerRunnerExtension } = from('@puppeteer/replay');
const puppeteer = from('puppeteer').default;

async function main() {
  const { browser: executablePath, flows } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  // Hidden scroll bars would move what is beside them.
  const ignoreDefaultArgs = ['--hide-scrollbars'];
  const browser = await puppeteer.launch({ executablePath, args, ignoreDefaultArgs, headless: true, timeout: 60000 });
  for (const { name, document } of flows) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    let trouble = null;
    try {
      const runner = await createRunner(parse(document), new PuppeteerRunnerExtension(browser, page));
      await runner.run();
    } catch (reason) {
      trouble = String(reason?.message ?? reason);
    }
    console.log(JSON.stringify({ name, trouble }));
    await context.close();
  }
  await browser.close();
}

main();
