// Where the page is: which document, whether it has loaded, what a person would see of it.

reply(() => {
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
    const name = text.trim().replace(/\s+/g, ' ').slice(0, 40);
    if (name && element.getClientRects().length > 0 && !named.includes(name)) named.push(name);
  }
  return named;
}
