// Sales that wait for somebody.
import { h } from "./dom.js";
import { ask, may } from "./tests.js";
import { button, card, complaint, confirm, empty, fact, pill } from "./parts.js";
import { money, say } from "./say.js";
import { get } from "./talk.js";

const EVERY_MS = 3000;
let sales = null;
let trouble = null;
let timer = 0;
let redraw = () => {};
let by = "";

async function look() {
    try {
        sales = (await get("/api/v1/machines")).sales;
        trouble = null;
    } catch (error) {
        trouble = complaint(error);
    }
    redraw();
}

async function resolve(sale, as, user) {
    const name = h("input", {
        id: "by",
        required: true,
        maxlength: 64,
        value: user.session ? user.name : by,
        readonly: user.session,
        autocomplete: "name",
    });
    const text = say("resolve_" + as, { sale: sale.sale, price: money(sale.price_minor, sale.currency) });
    const fields = [h("label", { for: "by" }, say("your_name")), name];
    if (!(await confirm(say("resolve"), text, say("as_" + as), fields))) return;
    by = name.value.trim();
    await ask(sale.sale, "/api/v1/sales/resolve", { sale: sale.sale, as, by });
    look();
}

function sale(one, state) {
    const allowed = may(state, "technician");
    const act = as => button(say("as_" + as), () => resolve(one, as, state.user), { disabled: !allowed });
    return h(
        "li",
        { class: "card sale", "data-key": one.sale },
        h(
            "div",
            { class: "who" },
            h("h2", {}, one.sale),
            one.stage === "unresolved"
                ? pill("error", say("stage_unresolved"))
                : pill("info", say("stage_refunding")),
        ),
        h(
            "dl",
            { class: "facts" },
            fact(say("price"), money(one.price_minor, one.currency)),
            fact(say("machine"), one.machine),
            fact(say("lane"), one.slot ?? "–"),
            fact(say("payment"), say("pay_" + one.payment)),
            fact(say("reason"), one.reason ?? "–"),
        ),
        one.stage === "unresolved"
            ? [
                  h("p", { class: "soft" }, say("look_first")),
                  h("div", { class: "actions" }, act("dispensed"), act("refunded")),
              ]
            : h("p", { class: "soft" }, say("refund_waits")),
        allowed || one.stage !== "unresolved" ? null : h("p", { class: "soft" }, say("needs_technician")),
    );
}

export default {
    enter(draw) {
        redraw = draw;
        look();
        timer = setInterval(look, EVERY_MS);
    },
    leave: () => clearInterval(timer),
    render(state) {
        if (trouble) return [card(say("nav_sales"), h("p", { class: "wrong" }, trouble))];
        if (!sales) return [h("p", { class: "soft" }, say("loading"))];
        if (!sales.length) return [card(say("waiting_sales"), empty(say("no_sales")))];
        return [
            h("p", { class: "soft" }, say("sales_help")),
            h(
                "ul",
                { class: "stack" },
                sales.map(one => sale(one, state)),
            ),
        ];
    },
};
