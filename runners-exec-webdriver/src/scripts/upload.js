// Gives files to a file input, as if they had been chosen.

replyInTime(() => {
  let found;
  try {
    found = first();
  } catch (reason) {
    return wanted(reason);
  }
  const { problem, hopeless, node, name } = found;
  if (problem) return { again: problem, hopeless };
  if (!(node instanceof HTMLInputElement) || node.type !== 'file') {
    return { again: `${name} is no file input but ${tag(node)}`, hopeless: true };
  }
  if (node.disabled) return { again: `${name} is disabled` };
  if (request.files.length > 1 && !node.multiple) {
    return { again: `${name} takes one file only`, hopeless: true };
  }
  const given = new DataTransfer();
  for (const { name, media_type: type, bytes } of request.files) {
    const content = Uint8Array.from(atob(bytes), character => character.charCodeAt(0));
    given.items.add(new File([content], name, { type }));
  }
  node.files = given.files;
  tell(node);
  return { done: true };
});
