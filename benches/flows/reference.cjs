// Replays one flow with the reference replayer, in one page of one browser, whenever a line is read, and
// answers each with a line: `ready`, `done`, or what went wrong.

const [directory, executablePath, document] = process.argv.slice(2);
const from = require('node:module').createRequire(`${directory}/`);
const { createRunner, parse, PuppeteerRunnerExtension } = from('@puppeteer/replay');
const puppeteer = from('puppeteer').default;

async function main() {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--window-size=1280,800'];
  const browser = await puppeteer.launch({ executablePath, args, headless: true, timeout: 60000 });
  const page = await browser.newPage();
  const flow = parse(JSON.parse(document));
  console.log('ready');
  for await (const _ of require('node:readline').createInterface({ input: process.stdin })) {
    try {
      const runner = await createRunner(flow, new PuppeteerRunnerExtension(browser, page));
      console.log((await runner.run()) ? 'done' : 'stopped');
    } catch (reason) {
      console.log(String(reason?.message ?? reason).split('\n')[0]);
    }
  }
  await browser.close();
}

main();
