// The page of the OpenAPI document: resources, operations, schemas, a search, and trying out reads.
// Everything shown is put in as text, so nothing in a document or an answer can become markup.
"use strict";

const prefix = document.documentElement.dataset.prefix;
const METHODS = ["get", "put", "post", "delete"];
const SESSION = "warren-docs-user";
const SHOWN_CHARACTERS_MAX = 200000;

let spec = null;

/** An element with attributes and children; text children are text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text in which `words` between backquotes are code. */
function prose(text, name = "span", attributes = {}) {
  const parts = (text || "").split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
  return make(name, attributes, ...parts);
}

function resolve(node) {
  while (node && node.$ref) {
    node = node.$ref.split("/").slice(1).reduce((at, step) => at[step], spec);
  }
  return node;
}

function named(node) {
  return node && node.$ref ? node.$ref.split("/").pop() : null;
}

// ---------------------------------------------------------------- schemas

function typeOf(schema) {
  if (!schema) return "any";
  if (schema.$ref) return named(schema);
  if (schema.type === "array") return "array of " + typeOf(schema.items);
  if (schema.allOf) return schema.allOf.map(typeOf).join(" with ");
  const any = schema.anyOf || schema.oneOf;
  if (any) return any.map(typeOf).join(" or ");
  const types = [].concat(schema.type || "any").join(" or ");
  return schema.enum ? types + ": " + schema.enum.join(", ") : types;
}

function bounds(schema) {
  const said = [];
  if (schema.minimum !== undefined) said.push("at least " + schema.minimum);
  if (schema.maximum !== undefined) said.push("at most " + schema.maximum);
  if (schema.maxLength !== undefined) said.push("at most " + schema.maxLength + " bytes");
  if (schema.pattern !== undefined) said.push("matches " + schema.pattern);
  return said.join(", ");
}

/** What can be opened below a schema: its fields, or the alternatives it has. */
function inside(schema, depth) {
  const shown = [];
  const plain = resolve(schema);
  if (!plain) return shown;
  if (plain.type === "array") return inside(plain.items, depth);
  for (const part of plain.allOf || []) shown.push(...inside(part, depth));
  for (const part of plain.anyOf || plain.oneOf || []) {
    if (part.type !== "null") shown.push(fold(typeOf(part), part, depth));
  }
  const required = new Set(plain.required || []);
  for (const [name, field] of Object.entries(plain.properties || {})) {
    const about = field.description || (field.allOf && field.allOf[0] && field.allOf[0].description);
    const head = [make("code", {}, name), " ", make("span", { class: "type" }, typeOf(field)),
      bounds(field) ? make("small", {}, " " + bounds(field)) : null,
      required.has(name) ? null : make("span", { class: "what" }, " optional"), " ",
      prose(about, "span", { class: "what" })];
    shown.push(hasInside(field)
      ? lazy(make("summary", {}, ...head), () => make("div", { class: "schema" }, ...inside(field, depth + 1)))
      : make("div", { class: "field" }, ...head));
  }
  if (plain.additionalProperties && typeof plain.additionalProperties === "object" && !shown.length) {
    shown.push(make("div", { class: "field what" }, "any names, each " + typeOf(plain.additionalProperties)));
  }
  if (plain.additionalProperties === true && shown.length) {
    shown.push(make("div", { class: "field what" }, "and any other names"));
  }
  return shown;
}

function hasInside(schema) {
  const plain = resolve(schema);
  if (!plain) return false;
  if (plain.type === "array") return hasInside(plain.items);
  const any = plain.anyOf || plain.oneOf;
  if (any) return any.some(hasInside);
  return Boolean(plain.allOf || plain.properties);
}

function fold(title, schema, depth) {
  if (!hasInside(schema)) return make("div", { class: "field type" }, title);
  return lazy(make("summary", { class: "type" }, title),
    () => make("div", { class: "schema" }, ...inside(schema, depth + 1)));
}

/** Details that are made when they are opened. */
function lazy(summary, body, attributes = {}) {
  const details = make("details", attributes, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(body());
  });
  return details;
}

function showContent(content) {
  const parts = [];
  for (const [kind, media] of Object.entries(content || {})) {
    parts.push(make("p", {}, make("code", {}, kind), " ", make("span", { class: "type" }, typeOf(media.schema))));
    const about = resolve(media.schema);
    if (about && about.description) parts.push(prose(about.description, "p", { class: "what" }));
    if (hasInside(media.schema)) parts.push(make("div", { class: "schema" }, ...inside(media.schema, 0)));
    if (media.example !== undefined) {
      parts.push(make("h3", {}, "Example"), make("pre", {}, JSON.stringify(media.example, null, 2)));
    }
  }
  return parts;
}

// ------------------------------------------------------------- operations

function parameters(operation) {
  const rows = (operation.parameters || []).map(resolve).map((parameter) => make("tr", {},
    make("td", {}, make("code", {}, parameter.name)),
    make("td", {}, parameter.in + (parameter.required ? "" : ", optional")),
    make("td", {}, typeOf(parameter.schema), make("br"), make("small", {}, bounds(parameter.schema))),
    prose(parameter.description, "td")));
  if (!rows.length) return [];
  const head = ["Name", "Where", "Takes", "What it does"].map((title) => make("th", {}, title));
  return [make("h3", {}, "Parameters"), make("table", {}, make("tr", {}, ...head), ...rows)];
}

function answers(operation) {
  return Object.entries(operation.responses).map(([status, given]) => {
    const answer = resolve(given);
    const tone = status < "300" ? "good" : status < "400" ? "other" : "bad";
    const summary = make("summary", {}, make("b", { class: tone }, status), " ", prose(answer.description));
    const headers = Object.entries(answer.headers || {}).map(([name, header]) =>
      make("div", { class: "field" }, make("code", {}, name), " ", prose(resolve(header).description)));
    return lazy(summary, () => make("div", { class: "schema" }, ...headers, ...showContent(answer.content)),
      { class: "answer", open: false });
  });
}

function describe(path, method, operation) {
  const body = make("div", {});
  body.append(make("p", {}, make("span", { class: "role" }, operation["x-access"]), " ", prose(operation.description)));
  body.append(...parameters(operation));
  if (operation.requestBody) {
    const optional = operation.requestBody.required ? "" : " (may be left out)";
    body.append(make("h3", {}, "Request body" + optional), ...showContent(operation.requestBody.content));
  }
  body.append(make("h3", {}, "Answers"), ...answers(operation));
  if (method === "get") body.append(trial(path, operation));
  return body;
}

function trial(path, operation) {
  const taken = (operation.parameters || []).map(resolve);
  const fields = taken.map((parameter) => {
    const choices = parameter.schema.enum || (parameter.schema.type === "boolean" ? ["true", "false"] : null);
    const input = choices
      ? make("select", { name: parameter.name }, make("option", { value: "" }, ""),
        ...choices.map((choice) => make("option", { value: choice }, choice)))
      : make("input", { name: parameter.name, required: parameter.required, placeholder: parameter.in });
    return make("label", {}, make("code", {}, parameter.name), input);
  });
  const result = make("div", { "aria-live": "polite" });
  const form = make("form", { class: "try" }, make("b", {}, "Try it"), ...fields, make("button", {}, "Send GET"), result);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(path, taken, new FormData(form), result);
  });
  return form;
}

async function send(path, taken, values, result) {
  const query = new URLSearchParams();
  const headers = {};
  for (const parameter of taken) {
    const value = values.get(parameter.name);
    if (parameter.in === "path") path = path.replace("{" + parameter.name + "}", encodeURIComponent(value));
    else if (value && parameter.in === "query") query.set(parameter.name, value);
    else if (value && parameter.in === "header") headers[parameter.name] = value;
  }
  const target = prefix + path + (query.size ? "?" + query : "");
  result.replaceChildren(make("p", {}, "…"));
  try {
    const began = performance.now();
    const answer = await fetch(target, { headers, credentials: "same-origin", cache: "no-store" });
    let text = await answer.text();
    const took = Math.round(performance.now() - began);
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Not everything is JSON.
    }
    if (text.length > SHOWN_CHARACTERS_MAX) text = text.slice(0, SHOWN_CHARACTERS_MAX) + "\n…";
    result.replaceChildren(
      make("p", {}, make("code", {}, "GET " + target), " ",
        make("b", { class: answer.ok ? "good" : "bad" }, String(answer.status)), " in " + took + " ms"),
      make("pre", {}, text || "(no body)"));
  } catch (error) {
    result.replaceChildren(make("p", { class: "bad" }, String(error)));
  }
}

// ------------------------------------------------------------ page, search

/** Words under which an operation is found. */
function haystack(path, method, operation) {
  const words = [method, path, operation.operationId, operation.summary, operation.description, operation["x-access"]];
  words.push(...(operation.parameters || []).map((parameter) => resolve(parameter).name));
  for (const answer of Object.values(operation.responses)) {
    for (const media of Object.values(resolve(answer).content || {})) {
      const seen = new Set();
      fieldNames(media.schema, seen);
      words.push(...seen);
    }
  }
  return words.join(" ").toLowerCase();
}

function fieldNames(schema, seen) {
  const mark = named(schema);
  if (!schema || (mark && seen.has(mark))) return;
  if (mark) seen.add(mark);
  const plain = resolve(schema);
  for (const part of [].concat(plain.allOf || [], plain.anyOf || [], plain.oneOf || [], plain.items || [])) {
    fieldNames(part, seen);
  }
  for (const [name, field] of Object.entries(plain.properties || {})) {
    seen.add(name);
    fieldNames(field, seen);
  }
}

function render() {
  const main = document.getElementById("main");
  const contents = make("div", {});
  document.getElementById("version").textContent = spec.info.version + ", OpenAPI " + spec.openapi;
  const intro = make("div", { class: "prose" });
  for (const paragraph of spec.info.description.split("\n\n")) intro.append(prose(paragraph, "p"));
  intro.append(make("p", {}, make("a", { href: prefix + "/api/openapi.json" }, "The document itself"), " · ",
    make("a", { href: prefix + "/api/index.html" }, "every endpoint on one page")));
  main.replaceChildren(intro);
  const entries = [];
  for (const tag of spec.tags) {
    const section = make("section", { id: tag.name }, make("h2", {}, tag.name), make("p", {}, tag.description));
    for (const [path, item] of Object.entries(spec.paths)) {
      for (const method of METHODS.filter((name) => item[name] && item[name].tags[0] === tag.name)) {
        const operation = item[method];
        const summary = make("summary", {},
          make("span", { class: "method " + method }, method.toUpperCase()),
          make("span", { class: "path" }, path),
          make("span", { class: "says" }, operation.summary));
        const element = lazy(summary, () => describe(path, method, operation),
          { class: "operation", id: operation.operationId });
        element.addEventListener("toggle", () => {
          if (element.open) history.replaceState(null, "", "#" + operation.operationId);
        });
        section.append(element);
        entries.push({ element, section, words: haystack(path, method, operation) });
      }
    }
    main.append(section);
    const count = make("span", {}, String(section.querySelectorAll(".operation").length));
    contents.append(make("a", { href: "#" + tag.name }, tag.name, count));
  }
  const none = make("p", { hidden: true }, "Nothing found.");
  main.append(none);
  document.getElementById("contents").replaceChildren(contents);
  const search = document.getElementById("search");
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const entry of entries) {
      entry.element.hidden = !wanted.every((word) => entry.words.includes(word));
      found += entry.element.hidden ? 0 : 1;
    }
    for (const section of main.querySelectorAll("section")) {
      section.hidden = !section.querySelector(".operation:not([hidden])");
    }
    intro.hidden = wanted.length > 0;
    none.hidden = found > 0;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  window.addEventListener("hashchange", reveal);
  reveal();
}

/** Opens what the address names. */
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
}

// ----------------------------------------------------------------- session

function showSession() {
  const user = sessionStorage.getItem(SESSION);
  document.getElementById("login").hidden = Boolean(user);
  const shown = document.getElementById("session");
  shown.hidden = !user;
  shown.querySelector("span").textContent = user ? "Logged in as " + user : "";
}

async function logIn(event) {
  event.preventDefault();
  const form = event.target;
  const answer = await fetch(prefix + "/api/login", {
    method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin",
  });
  if (answer.ok) {
    sessionStorage.setItem(SESSION, (await answer.json()).user.name);
    form.reset();
  } else {
    const said = await answer.json().catch(() => ({}));
    alert("Not logged in: " + (said.reason || answer.status));
  }
  showSession();
}

async function logOut() {
  await fetch(prefix + "/api/login", { method: "DELETE", credentials: "same-origin" });
  sessionStorage.removeItem(SESSION);
  showSession();
}

async function start() {
  document.getElementById("login").addEventListener("submit", logIn);
  document.querySelector("#session button").addEventListener("click", logOut);
  showSession();
  try {
    const answer = await fetch(prefix + "/api/openapi.json");
    if (!answer.ok) throw new Error("the document was answered with " + answer.status);
    spec = await answer.json();
    render();
  } catch (error) {
    document.getElementById("state").textContent = "The document cannot be shown: " + error.message;
  }
}

start();
