// What differs between two texts, line by line.

const LINES_MOST = 3000;

/** Lines that one text has and not the other, with `context` lines around: [{ mark: " "|"+"|"-"|"…", text }]. */
export function diff(before, after, context = 2) {
    const [a, b] = [before.split("\n"), after.split("\n")];
    let start = 0;
    while (start < a.length && start < b.length && a[start] === b[start]) start++;
    let end = 0;
    while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end])
        end++;
    const [mine, yours] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
    const middle = mine.length + yours.length > LINES_MOST ? replaced(mine, yours) : common(mine, yours);
    const same = text => ({ mark: " ", text });
    return shortened([...a.slice(0, start).map(same), ...middle, ...a.slice(a.length - end).map(same)], context);
}

const replaced = (a, b) => [...a.map(text => ({ mark: "-", text })), ...b.map(text => ({ mark: "+", text }))];

/** By the longest common subsequence. */
function common(a, b) {
    const width = b.length + 1;
    const longest = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--) {
        for (let j = b.length - 1; j >= 0; j--) {
            longest[i * width + j] =
                a[i] === b[j]
                    ? longest[(i + 1) * width + j + 1] + 1
                    : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
        }
    }
    const lines = [];
    let [i, j] = [0, 0];
    while (i < a.length || j < b.length) {
        if (i < a.length && j < b.length && a[i] === b[j]) {
            lines.push({ mark: " ", text: a[i] });
            i++;
            j++;
        } else if (j >= b.length || (i < a.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
            lines.push({ mark: "-", text: a[i++] });
        } else {
            lines.push({ mark: "+", text: b[j++] });
        }
    }
    return lines;
}

function shortened(lines, context) {
    const near = new Set();
    lines.forEach((line, at) => {
        if (line.mark !== " ") for (let k = at - context; k <= at + context; k++) near.add(k);
    });
    const kept = [];
    lines.forEach((line, at) => {
        if (near.has(at)) kept.push(line);
        else if (kept.length && kept.at(-1).mark !== "…") kept.push({ mark: "…", text: "" });
    });
    if (kept.at(-1)?.mark === "…") kept.pop();
    return kept;
}
