/** Renders openapi.json: the requests, their fields, and the answers. */
import { make } from './dom.js';
import { openapi } from './painter.js';

let api;

const resolve = (thing) => (thing?.$ref ? thing.$ref.slice(2).split('/').reduce((at, key) => at[key], api) : (thing ?? {}));

/** "integer, 1 to 8192", "list of string", "jpeg or png" */
function typed(schema) {
  const s = resolve(schema);
  const several = s.anyOf ?? s.oneOf;
  if (several) return several.map(typed).filter((text) => text !== 'null').join(' or ');
  if (s.enum) return s.enum.join(', ');
  if (s.type === 'array') return `list of ${typed(s.items)}`;
  const type = s.format === 'binary' || s.contentMediaType ? 'file' : [s.type ?? 'anything'].flat().join(' or ');
  const low = s.minimum ?? s.exclusiveMinimum;
  const high = s.maximum ?? s.exclusiveMaximum;
  if (low !== undefined && high !== undefined) return `${type}, ${low} to ${high}`;
  return low === undefined ? type : `${type}, ${low} or more`;
}

function table(caption, heads, rows) {
  if (!rows.length) return [];
  const cells = (tag, values, first = tag) => values.map((value, index) => make(index ? tag : first, index ? {} : { scope: tag === 'th' ? 'col' : 'row' }, String(value ?? '')));
  return make('div', { className: 'scroll', tabIndex: 0 },
    make('table', {},
      make('caption', {}, caption),
      make('thead', {}, make('tr', {}, cells('th', heads))),
      make('tbody', {}, rows.map((row) => make('tr', {}, cells('td', row, 'th'))))));
}

function row(name, schema, required, text, where) {
  const s = resolve(schema);
  const fallback = s.default === undefined || s.default === null ? (required ? 'required' : '') : String(s.default);
  return [name, ...(where ? [where] : []), typed(schema), fallback, text ?? s.description];
}

function body(request) {
  const raw = [];
  const forms = Object.entries(resolve(request).content ?? {}).flatMap(([type, { schema }]) => {
    const { properties, required = [] } = resolve(schema);
    if (!properties) return raw.push(type) && [];
    const rows = Object.entries(properties).map(([name, one]) => row(name, one, required.includes(name)));
    return table(`Body: ${type}`, ['Field', 'Type', 'Default', 'What it is'], rows);
  });
  return raw.length ? [...forms, make('p', {}, `Or a file as the body: ${raw.join(', ')}`)] : forms;
}

function answers(responses) {
  const rows = Object.entries(responses ?? {}).map(([status, one]) => {
    const { description, content } = resolve(one);
    return [status, Object.keys(content ?? {}).join(', '), description];
  });
  return table('Answers', ['Status', 'Media type', 'When'], rows);
}

function examples(operation) {
  const places = [resolve(operation.requestBody), ...Object.values(operation.responses ?? {}).map(resolve)];
  const found = places.flatMap(({ content }) => Object.values(content ?? {})).flatMap((media) => {
    const several = Object.values(media.examples ?? {}).map((one) => resolve(one).value);
    return media.example === undefined ? several : [media.example, ...several];
  });
  return found.map((one) => code(typeof one === 'string' ? one : JSON.stringify(one, null, 2)));
}

/** Makes paragraphs; text between backticks becomes code. */
function prose(text = '') {
  const words = (part) => part.split('`').map((one, index) => (index % 2 ? make('code', {}, one) : one));
  return text.split(/\n\s*\n/).filter(Boolean).map((part) => make('p', {}, words(part)));
}

const code = (text) => make('pre', { tabIndex: 0 }, make('code', {}, text));

/** Writes a command for a request, from its required fields. */
function curl(path, method, parameters, operation) {
  const given = (one) => one.example ?? resolve(one.schema).examples?.[0];
  const query = parameters
    .filter((one) => one.in === 'query' && (one.required || given(one) !== undefined))
    .map((one) => `${one.name}=${given(one) ?? one.name.toUpperCase()}`);
  const address = new URL(`.${path}`, document.baseURI).href + (query.length ? `?${query.join('&')}` : '');
  const parts = ['curl', ...(method === 'get' ? [] : ['-X', method.toUpperCase()])];
  const bodies = Object.values(resolve(operation.requestBody).content ?? {}).map((one) => resolve(one.schema));
  if (bodies.some(({ properties }) => !properties)) parts.push('--data-binary', '@photo.jpg');
  else for (const name of bodies[0]?.required ?? []) parts.push('-F', `${name}=@photo.jpg`);
  return code([...parts, `'${decodeURI(address)}'`].join(' '));
}

function route(path, method, operation, shared) {
  const parameters = [...(shared ?? []), ...(operation.parameters ?? [])].map(resolve);
  const rows = parameters.map((one) => row(one.name, one.schema, one.required, one.description, one.in));
  const address = make('h2', {}, make('span', { className: 'verb' }, method.toUpperCase()), ` ${path}`);
  return make('section', {},
    address,
    prose(operation.description ?? operation.summary),
    table('Parameters', ['Name', 'In', 'Type', 'Default', 'What it is'], rows),
    operation.requestBody ? body(operation.requestBody) : [],
    answers(operation.responses),
    curl(path, method, parameters, operation),
    examples(operation));
}

async function start() {
  const main = document.getElementById('api');
  try {
    api = await openapi();
    const methods = ['get', 'put', 'post', 'patch', 'delete'];
    const routes = Object.entries(api.paths).flatMap(([path, item]) => methods
      .filter((method) => item[method])
      .map((method) => route(path, method, item[method], item.parameters)));
    const { title, version, description, summary } = api.info;
    main.replaceChildren(
      make('p', { className: 'headline' }, `${title} ${version}`),
      ...prose(description ?? summary),
      ...routes);
  } catch ({ message, hint }) {
    main.replaceChildren(make('p', { role: 'alert' }, `${message} ${hint ?? ''}`));
  }
  main.ariaBusy = 'false';
}

start();
