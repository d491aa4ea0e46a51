// Elements, made and kept.

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** @param {string} id */
export const button = (id) => /** @type {HTMLButtonElement} */ (element(id));

/** @param {string} id */
export const input = (id) => /** @type {HTMLInputElement} */ (element(id));

/** @param {string} id */
export const select = (id) => /** @type {HTMLSelectElement} */ (element(id));

/**
 * @template {keyof HTMLElementTagNameMap} Kind
 * @param {Kind} kind
 * @param {string} [className]
 * @param {...(Node | string)} children
 */
export function make(kind, className = "", ...children) {
  const made = document.createElement(kind);
  made.className = className;
  made.append(...children);
  return made;
}

/**
 * @param {string} className
 * @param {(event: MouseEvent) => void} act
 */
export function makeButton(className, act) {
  const made = make("button", className);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/**
 * Shows a list, keeping each item's element, so that what has the focus keeps it.
 * @template Item
 * @param {HTMLElement} list
 * @param {Item[]} items
 * @param {{ key: (item: Item) => string, make: (item: Item) => HTMLElement, show: (made: HTMLElement, item: Item) => void }} how
 */
export function showList(list, items, { key, make: makeItem, show }) {
  const there = new Map([...list.children].map((each) => [each.getAttribute("data-key"), /** @type {HTMLElement} */ (each)]));
  const rows = items.map((item) => {
    const row = there.get(key(item)) ?? makeItem(item);
    row.setAttribute("data-key", key(item));
    show(row, item);
    return row;
  });
  const isSame = rows.length === list.children.length && rows.every((row, place) => list.children[place] === row);
  if (!isSame) list.replaceChildren(...rows);
}

/**
 * Sets a text if it is another, so that it is not read out again.
 * @param {Element} made
 * @param {string} text
 */
export function setText(made, text) {
  if (made.textContent !== text) made.textContent = text;
}
