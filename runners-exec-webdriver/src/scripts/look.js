// Where the page is: which document, whether it has loaded, what a person would see of it.

reply(() => {
  const loaded = document.readyState === 'complete';
  // What the browser says of the error is on its page once that has loaded.
  const failed = loaded && location.protocol === 'chrome-error:';
  const trouble = failed ? document.querySelector('.error-code')?.innerText.trim() || 'the browser shows an error page' : null;
  return {
    ...mark(),
    loaded,
    hidden: document.hidden,
    trouble,
    title: document.title,
    labels: request.labels ? labels() : [],
  };
});

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
