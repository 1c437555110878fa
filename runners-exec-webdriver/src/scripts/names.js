// Finds elements by accessible name and role where the browser's own accessibility tree is out of
// reach: in child frames, and without the DevTools protocol. It knows the common ways to name an
// element, not all of them.

const ROLES = Object.entries({
  button: 'button, summary, input[type=button], input[type=submit], input[type=reset], input[type=image]',
  link: 'a[href], area[href]',
  checkbox: 'input[type=checkbox]',
  radio: 'input[type=radio]',
  slider: 'input[type=range]',
  spinbutton: 'input[type=number]',
  searchbox: 'input[type=search]',
  combobox: 'select:not([multiple]):not([size]), input[list]',
  listbox: 'select',
  textbox: 'input:not([type]), input[type=text], input[type=email], input[type=tel], input[type=url], textarea',
  option: 'option',
  heading: 'h1, h2, h3, h4, h5, h6',
  image: 'img',
  list: 'ul, ol',
  listitem: 'li',
  table: 'table',
  row: 'tr',
  cell: 'td',
  columnheader: 'th',
  navigation: 'nav',
  main: 'main',
  dialog: 'dialog',
  form: 'form',
  paragraph: 'p',
});

/** Roles whose elements are named by what they contain. */
const NAMED_BY_CONTENT = [
  'button', 'link', 'heading', 'option', 'cell', 'columnheader', 'row', 'tab', 'menuitem', 'treeitem',
  'switch', 'checkbox', 'radio', 'tooltip', 'menuitemcheckbox', 'menuitemradio',
];

FINDERS.aria = (root, _, { name, role }) => composed(root).filter(element => {
  if (role !== null && !sameRole(roleOf(element), role)) return false;
  if (name !== null && nameOf(element) !== name) return false;
  return element.getClientRects().length > 0 && !element.closest('[aria-hidden=true]');
});

function composed(root) {
  return [...root.querySelectorAll('*')].flatMap(element =>
    element.shadowRoot ? [element, ...composed(element.shadowRoot)] : [element]);
}

function roleOf(element) {
  const given = element.getAttribute('role')?.trim().split(/\s+/)[0];
  return given || ROLES.find(([, css]) => element.matches(css))?.[0] || null;
}

function sameRole(one, other) {
  const plain = role => (role === 'img' ? 'image' : role);
  return plain(one) === plain(other);
}

function nameOf(element) {
  const fold = text => (text ?? '').trim().replace(/\s+/g, ' ');
  const by = element.getAttribute('aria-labelledby')?.trim().split(/\s+/) ?? [];
  const labels = by.map(id => element.getRootNode().getElementById?.(id)?.textContent ?? '');
  const isButton = element instanceof HTMLInputElement && ['button', 'submit', 'reset'].includes(element.type);
  const content = NAMED_BY_CONTENT.includes(roleOf(element)) && !(element instanceof HTMLInputElement);
  const ways = [
    labels.join(' '),
    element.getAttribute('aria-label'),
    [...(element.labels ?? [])].map(label => label.innerText).join(' '),
    element.getAttribute('alt'),
    isButton ? element.value : '',
    content ? element.innerText : '',
    element.getAttribute('title'),
    element.getAttribute('placeholder'),
  ];
  return ways.map(fold).find(Boolean) ?? '';
}
