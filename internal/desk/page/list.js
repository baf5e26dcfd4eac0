// What the pages with lists have in common.
"use strict";

const at = (id) => document.getElementById(id);
let token = sessionStorage.getItem("leadline-token") || "";

const trouble = (text) => {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
};

// ask fetches, waits while what is asked about is being read, and asks for the token when one is needed.
async function ask(what, reading, options = {}) {
  const answer = await patientFetch(what, { ...options, headers: { ...options.headers, ...asker(token) } }, () => say("connecting", reading));
  if (answer.ok) return answer;
  if (answer.status === 401) {
    at("sign-in").hidden = false;
    throw new Error(token ? "This token is not the one." : "");
  }
  throw new Error(await whyNot(answer));
}

// askable gives what can be asked for; null and trouble when there is no answer.
async function askable(path, reading) {
  try {
    const about = await (await ask(`${path}/about`, reading)).json();
    at("sign-in").hidden = true;
    trouble("");
    return about;
  } catch (e) {
    say("lost", "Not answered");
    trouble(e.message);
    return null;
  }
}

const pageRows = 50;
let turn = 0; // an answer to an earlier question is not shown

// page asks for rows of a list, behind the cursor if there is one. It gives null when there is no answer, or another question came meanwhile.
async function page(path, query, cursor, doing, reading) {
  const mine = ++turn;
  const asked = new URLSearchParams(query);
  asked.set("limit", String(pageRows));
  if (cursor) asked.set("cursor", cursor);
  at("list").setAttribute("aria-busy", "true");
  say("connecting", doing);
  try {
    const answer = await (await ask(`${path}?${asked}`, reading)).json();
    return mine === turn ? answer : null;
  } catch (e) {
    if (mine === turn) {
      say("lost", "Not answered");
      trouble(e.message);
    }
    return null;
  } finally {
    if (mine === turn) at("list").removeAttribute("aria-busy");
  }
}

// download fetches a table and hands it over as a file.
async function download(path, asked, name) {
  asked.set("format", "csv");
  try {
    const answer = await ask(`${path}?${asked}`, "Making the table");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    trouble("");
  } catch (e) {
    trouble(e.message);
  }
}

// signIn takes the token, and begins anew with it.
function signIn(begin) {
  at("sign-in").addEventListener("submit", (e) => {
    e.preventDefault();
    token = e.target.elements.token.value.trim();
    sessionStorage.setItem("leadline-token", token);
    e.target.elements.token.value = "";
    begin();
  });
}
