// Words, as the search takes them: a translation of medimg/catalogue/words.py, and how far two of them are apart.

const LONGEST_WORD = 60;
const CJK = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{2fa1f}";
const IS_CJK = new RegExp(`^[${CJK}]`, "u");
const WORD = new RegExp(`[${CJK}]|(?:(?![${CJK}])[\\p{L}\\p{N}])+`, "gu");
const MARKS = /\p{Mn}/gu;
const NUMBERED = /^([a-z]{2,})([0-9]{2,})$/;

/** The words of a text, in American spelling and without accents; of Chinese, its characters. */
export function wordsOf(text, spellings) {
  let plain = text.normalize("NFKD").replace(MARKS, "").toLowerCase();
  for (const [british, american] of spellings) plain = plain.replaceAll(british, american);
  return (plain.match(WORD) ?? []).map((word) => word.slice(0, LONGEST_WORD));
}

export const isCjk = (word) => word !== undefined && IS_CJK.test(word);

export function inPairs(words) {
  const found = [];
  words.forEach((word, place) => {
    if (!isCjk(word)) {
      found.push(word);
      return;
    }
    const after = isCjk(words[place + 1]) ? words[place + 1] : "";
    if (after || !isCjk(words[place - 1])) found.push(word + after);
  });
  return found;
}

export function singular(word) {
  if (word.length < 4 || !word.endsWith("s") || /(ss|us|is)$/.test(word)) return word;
  return word.endsWith("ies") ? `${word.slice(0, -3)}y` : word.slice(0, -1);
}

export const numbered = (word) => NUMBERED.exec(word)?.slice(1) ?? [];

/** Letters to insert, drop, replace or swap with the next; `most + 1` where it is more than `most`. */
export function distance(one, other, most) {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let before = [];
  let last = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let i = 0; i < one.length; i += 1) {
    const row = [i + 1];
    for (let j = 0; j < other.length; j += 1) {
      let cost = Math.min(last[j] + (one[i] === other[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1);
      if (i && j && one[i] === other[j - 1] && one[i - 1] === other[j]) cost = Math.min(cost, before[j - 1] + 1);
      row.push(cost);
    }
    if (Math.min(...row) > most) return most + 1;
    before = last;
    last = row;
  }
  return Math.min(last[last.length - 1], most + 1);
}

export function letterPairs(word) {
  const pairs = new Set();
  for (let place = 0; place + 1 < word.length; place += 1) pairs.add(word.slice(place, place + 2));
  return pairs;
}

export function mask(word) {
  let found = 0;
  for (let place = 0; place < word.length; place += 1) found |= 1 << (word.charCodeAt(place) % 31);
  return found;
}

export function bits(value) {
  let count = 0;
  for (let left = value >>> 0; left; left &= left - 1) count += 1;
  return count;
}
