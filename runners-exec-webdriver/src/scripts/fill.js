// Fills in form controls, as far as a script should. What is asked for, `act.js` and others say; how
// elements are found is in `find.js`, which goes before.

/** Inputs that a person types into. */
const TYPED = ['text', 'url', 'tel', 'search', 'password', 'number', 'email'];
/** Those of them that have a greatest length. */
const BOUNDED = ['text', 'url', 'tel', 'search', 'password', 'email', 'textarea'];
/** Inputs that write a value in their own way, or not at all. */
const WRITTEN = ['date', 'time', 'month', 'week', 'datetime-local', 'color'];
/** How long a page may take to follow what was typed or clicked, in milliseconds. */
const FOLLOW_MILLIS = 500;

/** Gives a form control a value, as far as a script should; says what is left to do. */
async function fill(element, value, place, name) {
  state.filled = { element, name, mixed: false };
  if (element instanceof HTMLSelectElement) return select(element, value, name);
  if (isCheck(element)) return check(element, value, place, name);
  const isInput = element instanceof HTMLInputElement;
  if (isText(element)) {
    const refused = request.strict ? notForText(element, value, name) : null;
    if (refused) return refused;
    return value.length < request.typedMax ? leftToType(element, value, name) : assign(element, value, name);
  }
  if (isInput && element.type === 'file') return { again: `${name} takes files, which a flow cannot give`, hopeless: true };
  if (isInput) return assign(element, value, name);
  return { again: `${name} is a <${element.localName}>, which cannot be filled in`, hopeless: true };
}

/** Whether it is filled in by typing. */
function isText(element) {
  if (element instanceof HTMLTextAreaElement) return true;
  return element instanceof HTMLInputElement ? TYPED.includes(element.type) : element.isContentEditable;
}

/** Whether it is filled in by a click. */
function isCheck(element) {
  if (element instanceof HTMLInputElement) return ['checkbox', 'radio'].includes(element.type);
  return ['checkbox', 'radio', 'switch'].includes(element.getAttribute('role'));
}

/** Why no person could type this there. */
function notForText(element, value, name) {
  if (element.readOnly) return { again: `${name} is read-only` };
  if (element instanceof HTMLInputElement && /[\r\n]/.test(value)) {
    return { again: `${name} has one line, and the value has a line break: a form is sent by the key Enter, in steps of its own`, hopeless: true };
  }
  const most = BOUNDED.includes(element.type) ? element.maxLength : -1;
  if (most < 0 || value.replace(/\r\n?/g, '\n').length <= most) return null;
  return { again: `${name} takes ${most} characters at most, fewer than the value has`, hopeless: true };
}

async function select(element, value, name) {
  const options = [...element.options];
  const chosen = options.find(option => option.value === value);
  if (!chosen) {
    const values = options.slice(0, 10).map(option => JSON.stringify(option.value)).join(', ');
    const wanted = request.secret ? 'that value' : `the value ${JSON.stringify(value)}`;
    return { again: `${name} has no option with ${wanted}; it has ${values || 'none'}` };
  }
  if (request.strict && chosen.matches(':disabled')) {
    const wanted = request.secret ? 'that option' : `the option ${JSON.stringify(value)}`;
    return { again: `${wanted} of ${name} is disabled` };
  }
  for (const option of options) option.selected = option === chosen;
  tell(element);
  return given(element, value, name);
}

function check(element, value, place, name) {
  if (value === 'false') {
    return { again: `${name} would be checked by the value "false"; an empty value unchecks it`, hopeless: true };
  }
  const { mixed, checked } = checkedness(element);
  if (!mixed && checked === Boolean(value)) return { done: true };
  if (request.strict && element.type === 'radio' && !value) {
    return { again: `${name} is a radio button, which only another one of its group unchecks`, hopeless: true };
  }
  state.filled.mixed = mixed;
  return place();
}

function checkedness(element) {
  const told = element.getAttribute('aria-checked');
  return { mixed: Boolean(element.indeterminate) || told === 'mixed', checked: Boolean(element.checked) || told === 'true' };
}

/** Empties the control, or goes to its end if it has the beginning already. */
function leftToType(element, value, name) {
  const member = element.isContentEditable ? 'innerText' : 'value';
  const current = element[member];
  if (current === value) return { done: true };
  if (request.strict || request.secret) return replaced(element, member, value, name);
  const kept = current && value.startsWith(current) ? current : '';
  element[member] = '';
  if (kept) element[member] = kept;
  const left = value.slice(kept.length);
  if (!left) return { done: true };
  const astray = focused(element, name, true);
  if (astray) {
    element[member] = current;
    return astray;
  }
  if (element.isContentEditable) getSelection().selectAllChildren(element), getSelection().collapseToEnd();
  return { type: left };
}

/**
 * Replaces the text as a person does who pastes it, so that the page is told, but for its last
 * character: pages that listen for keys shall see one. A secret is replaced whole, for no page and no
 * evidence should have a part of it, and so is a text with a tab, which as a key goes to the next control.
 */
async function replaced(element, member, value, name) {
  const isWhole = request.secret || value === '' || value.includes('\t');
  const astray = focused(element, name, !isWhole);
  if (astray) return astray;
  if (element.isContentEditable) getSelection().selectAllChildren(element);
  else element.select();
  if (value === '') {
    if (!document.execCommand('delete')) element[member] = '';
    return given(element, value, name);
  }
  if (isWhole) {
    if (!document.execCommand('insertText', false, value)) set(element, value);
    return given(element, value, name);
  }
  const characters = [...value];
  const last = characters.pop();
  // A new line is a key of its own; what is typed takes the place of what is selected.
  if (characters.length === 0 || /[\r\n]/.test(value)) return { type: value };
  return { type: document.execCommand('insertText', false, characters.join('')) ? last : value };
}

/** Sets a value in one go. */
function assign(element, value, name) {
  const astray = focused(element, name, false);
  if (astray && request.strict) return astray;
  if (element[element.isContentEditable ? 'innerText' : 'value'] === value) return { done: true };
  set(element, value);
  return given(element, value, name);
}

/** Sets a value past the setters that frameworks put before the element's own. */
function set(element, value) {
  const member = element.isContentEditable ? 'innerText' : 'value';
  const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(element), member);
  if (own?.set) own.set.call(element, value);
  else element[member] = value;
  tell(element);
}

/**
 * Gives it the focus; says who has it where it does not get it, for keys go there. A page that has no focus itself
 * hears of it later, with the first key, and may then hand it on.
 */
function focused(element, name, forKeys) {
  let control = element;
  while (control.isContentEditable && control.parentElement?.isContentEditable) control = control.parentElement;
  control.focus();
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  let has = element.isContentEditable && document.designMode === 'on';
  for (let node = active; node && !has; node = node.getRootNode().host) has = node === control;
  if (has) return forKeys && request.canFocus && !document.hasFocus() ? { unfocused: true } : null;
  const why = barred(element, name);
  if (why) return { again: why };
  const isNobody = !active || active === document.body || active === document.documentElement;
  return { again: isNobody ? `${name} does not take the focus` : `the focus goes to ${tag(active)} instead of ${name}` };
}

/** Why nobody can fill it in. */
function barred(element, name) {
  if (element.matches(':disabled')) return `${name} is disabled`;
  const asleep = inert(element, name);
  if (asleep) return asleep;
  const dialogs = [...document.querySelectorAll('dialog:modal')];
  const isInside = dialogs.some(dialog => isPartOf(element, dialog));
  return isInside || dialogs.length === 0 ? null : `${name} is behind the dialog ${tag(dialogs.at(-1))}`;
}

function inert(element, name) {
  for (let node = element; node; node = parentOf(node)) if (node.inert) return `${name} is inert`;
  return null;
}

/** What a script has given a control: in `strict` mode it is read back, once the page has answered. */
async function given(element, value, name) {
  if (!request.strict) return { done: true };
  await null;
  const why = element.isConnected ? differing(element, value, name) : null;
  return why ? { again: why, hopeless: true } : { done: true };
}

/** Says what a control has instead of what it should have. */
function differing(element, value, name) {
  const now = element.isContentEditable ? element.innerText : element.value;
  if (isTaken(element, value, now)) return null;
  if (request.secret || element.type === 'password') return `${name} has another value than it was given`;
  return `${name} has the value ${JSON.stringify(shortened(now, 200))} and not ${JSON.stringify(shortened(value, 200))}`;
}

/** Whether a value was taken, though it may be written otherwise. */
function isTaken(element, value, now) {
  if (now === value) return true;
  if (element instanceof HTMLSelectElement) return false;
  if (['number', 'range'].includes(element.type)) return now !== '' && Number(now) === Number(value);
  if (WRITTEN.includes(element.type)) {
    const plain = document.createElement('input');
    plain.type = element.type;
    plain.value = value;
    // What is no colour is black.
    if (element.type === 'color' && plain.value === '#000000') return now === value.toLowerCase();
    return now === plain.value && (now !== '' || value === '');
  }
  // Masks put separators between what was typed, and take others away.
  const kept = text => text.replace(/[^\p{L}\p{N}]/gu, '');
  const [is, wants] = [kept(now), kept(value)];
  return is === wants && (wants !== '' || value === '' || now.trim() === value.trim());
}
