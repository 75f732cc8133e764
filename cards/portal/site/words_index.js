// Free text: which entries hold the words, best first.

/** An index of the entries' names. */
export function wordIndex({ entries }) {
  const texts = entries.map((each) => [each.name, each.id, ...each.aliases, ...each.organ, ...each.modality, ...each.task, ...each.structures].join("\n").toLowerCase());
  return (text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const places = [];
    texts.forEach((each, place) => {
      if (words.every((word) => each.includes(word))) places.push(place);
    });
    return { places, near: [] };
  };
}
