/** What all modules use. */

/** An element; what is inside are texts and other elements, never markup. */
export function make(tag, props, ...inside) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...inside.flat());
  return node;
}

/** An error that is a sentence, and perhaps what to do about it. */
export function problem(detail, hint = '', more = {}) {
  return Object.assign(new Error(detail), { hint, ...more });
}
