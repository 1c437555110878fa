// Where the page is: which document, whether it has loaded, what a person would see of it. Told what
// is known of it, it first waits for something else, for as long as this call may take.

reply(async () => {
  const until = performance.now() + (request.sliceMillis ?? 0);
  const left = () => until - performance.now();
  while (request.known && isKnown(request.known) && left() > 0) await Promise.race([navigation(), pause(left())]);
  while (request.known && document.readyState !== 'complete' && left() > 0) await Promise.race([load(), pause(left())]);
  const loaded = document.readyState === 'complete';
  const trouble = loaded ? failure() : null;
  return {
    ...mark(),
    loaded,
    hidden: document.hidden,
    trouble,
    title: document.title,
    labels: request.labels ? labels() : [],
  };
});

/** What the browser says on the page that it shows where none could be loaded. */
function failure() {
  const isChromium = location.protocol === 'chrome-error:';
  const isFirefox = document.documentURI.startsWith('about:neterror');
  const isWebkit = location.href === 'about:blank' && document.querySelector('p.uri ~ button.try-again') !== null;
  if (!isChromium && !isFirefox && !isWebkit) return null;
  const said = document.querySelector(isChromium ? '.error-code' : isFirefox ? '#errorShortDesc, #error-intro' : 'p.uri + p');
  return said?.innerText.trim() || 'the browser shows an error page';
}

/** What could be acted on instead: the first few controls that have a name. */
function labels() {
  const named = [];
  for (const element of document.querySelectorAll('button, a[href], input, select, textarea, [role=button], h1')) {
    if (named.length === 5) break;
    const secret = element instanceof HTMLInputElement && !['button', 'submit', 'reset'].includes(element.type);
    const text = element.getAttribute('aria-label') || (secret ? element.labels?.[0]?.innerText || element.placeholder : element.innerText || element.value) || '';
    const name = shortened(text.trim().replace(/\s+/g, ' '), 40);
    if (name && element.getClientRects().length > 0 && !named.includes(name)) named.push(name);
  }
  return named;
}

function isKnown({ document, navigations, url }) {
  const now = mark();
  // A number may lose its last bit on the way; no two documents are as close.
  return Math.abs(now.document - document) < 0.001 && now.navigations <= navigations && now.url === url;
}

function navigation() {
  return Promise.race([event(window.navigation, 'currententrychange'), event(window, 'hashchange'), event(window, 'popstate')]);
}

/** Once those have been told of it who listen for it. */
function load() {
  return event(window, 'load').then(() => pause(0));
}

function event(target, type) {
  return new Promise(resolve => target?.addEventListener(type, resolve, { once: true }));
}

function pause(millis) {
  return new Promise(resolve => setTimeout(resolve, millis));
}
