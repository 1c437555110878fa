// Writes down what this page sees, in the order in which it sees it. What frames and popups see is
// kept by the page that the flow starts with, each page's under its own path.

(() => {
  const keeper = top.opener ?? top;
  const isKeeper = keeper === window;
  if (isKeeper && location.search === '?begin') {
    sessionStorage.clear();
    sessionStorage.case = location.pathname;
  }

  const keep = (page, line) => {
    const log = JSON.parse(sessionStorage.log ?? '{}');
    (log[page] ??= []).push(line);
    sessionStorage.log = JSON.stringify(log);
  };
  const page = location.pathname + (isKeeper ? '' : location.search);
  window.tell = line => (isKeeper ? keep(page, line) : keeper.postMessage({ page, line }, '*'));
  if (isKeeper) addEventListener('message', ({ data }) => data?.page && keep(data.page, data.line));

  /** An event as a line: what it is, where, and everything that a page may ask of it. */
  const shown = event => {
    const at = event.composedPath()[0];
    const parts = [event.type, at.id || at.nodeName || 'window'];
    const add = (name, value) => {
      if (value !== undefined && value !== null && value !== '') parts.push(`${name}=${value}`);
    };
    const members = ['button', 'buttons', 'detail', 'key', 'code', 'location', 'repeat', 'data', 'inputType', 'pointerType', 'isTrusted'];
    for (const name of members) add(name, event[name]);
    if (event instanceof MouseEvent) add('at', `${Math.floor(event.clientX)},${Math.floor(event.clientY)}`);
    for (const name of ['shiftKey', 'ctrlKey', 'altKey', 'metaKey']) if (event[name]) parts.push(name);
    add('value', at.value);
    add('checked', at.checked);
    return parts.join(' ');
  };
  const types = [
    'pointerdown', 'mousedown', 'mouseup', 'click', 'dblclick', 'auxclick', 'contextmenu', 'keydown', 'keypress', 'keyup',
    'beforeinput', 'input', 'change', 'focusin', 'focusout', 'submit', 'reset', 'touchstart',
  ];
  for (const type of types) addEventListener(type, event => tell(shown(event)), { capture: true });

  if (!isKeeper) addEventListener('message', ({ data, source }) => data === 'asked' && source.postMessage('told', '*'));
  const below = page => [...Array(page.length).keys()].flatMap(index => [page[index], ...below(page[index])]);
  /** Once a frame has told all that it saw until now: what it said before it answers has come before. A frame without
   * this script says nothing. */
  const told = frame =>
    new Promise(resolve => {
      setTimeout(resolve, 500);
      addEventListener('message', ({ data, source }) => source === frame && data === 'told' && resolve());
      frame.postMessage('asked', '*');
    });

  /** Sends what was kept to whoever compares it. */
  window.publish = async () => {
    await Promise.all(below(window).map(told));
    const sent = await fetch(`/log${sessionStorage.case}`, { method: 'POST', body: sessionStorage.log ?? '{}' });
    return sent.ok;
  };
})();
