/** What all modules use. */

/** Makes an element. Inside are texts and other elements, never markup. */
export function make(tag, props, ...inside) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...inside.flat());
  return node;
}

/** Makes an error that is a sentence, perhaps with advice. */
export function problem(detail, hint = '', more = {}) {
  return Object.assign(new Error(detail), { hint, ...more });
}
