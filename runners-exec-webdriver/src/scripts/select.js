// Chooses options of a list in which several can be chosen, and no others.

replyInTime(async () => {
  let found;
  try {
    found = first();
  } catch (reason) {
    return wanted(reason);
  }
  const { problem, hopeless, node, name } = found;
  if (problem) return { again: problem, hopeless };
  if (!(node instanceof HTMLSelectElement)) return { again: `${name} is no list but ${tag(node)}`, hopeless: true };
  const idle = request.strict ? barred(node, name) : null;
  if (idle || node.disabled) return { again: idle ?? `${name} is disabled` };
  const { values } = request;
  if (values.length > 1 && !node.multiple) return { again: `${name} takes one option only`, hopeless: true };
  const options = [...node.options];
  const missing = values.find(value => !options.some(option => option.value === value));
  if (missing !== undefined) {
    const has = options.slice(0, 10).map(option => JSON.stringify(option.value)).join(', ');
    return { again: `${name} has no option with the value ${JSON.stringify(missing)}; it has ${has || 'none'}` };
  }
  const barredOption = request.strict && options.find(option => values.includes(option.value) && option.matches(':disabled'));
  if (barredOption) return { again: `the option ${JSON.stringify(barredOption.value)} of ${name} is disabled` };
  node.focus();
  for (const option of options) option.selected = values.includes(option.value);
  tell(node);
  if (!request.strict) return { done: true };
  await null;
  const has = Array.from(node.selectedOptions, option => option.value);
  const isTaken = !node.isConnected || (values.every(value => has.includes(value)) && has.every(value => values.includes(value)));
  return isTaken ? { done: true } : { again: `${name} has ${JSON.stringify(has)} and not ${JSON.stringify(values)}`, hopeless: true };
});
