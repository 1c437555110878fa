// Chooses options of a list in which several can be chosen, and no others.

replyInTime(() => {
  let found;
  try {
    found = first();
  } catch (reason) {
    return wanted(reason);
  }
  const { problem, hopeless, node, name } = found;
  if (problem) return { again: problem, hopeless };
  if (!(node instanceof HTMLSelectElement)) return { again: `${name} is no list but ${tag(node)}`, hopeless: true };
  if (node.disabled) return { again: `${name} is disabled` };
  const { values } = request;
  if (values.length > 1 && !node.multiple) return { again: `${name} takes one option only`, hopeless: true };
  const options = [...node.options];
  const missing = values.find(value => !options.some(option => option.value === value));
  if (missing !== undefined) {
    const has = options.slice(0, 10).map(option => JSON.stringify(option.value)).join(', ');
    return { again: `${name} has no option with the value ${JSON.stringify(missing)}; it has ${has || 'none'}` };
  }
  node.focus();
  for (const option of options) option.selected = values.includes(option.value);
  tell(node);
  return { done: true };
});
