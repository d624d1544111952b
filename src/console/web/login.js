// The login page.
import { say } from "./say.js";
import { post } from "./talk.js";

const form = document.getElementById("login");
const wrong = document.getElementById("wrong");

form.onsubmit = async event => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    wrong.textContent = "";
    try {
        await post("/api/v1/login", { name: form.elements.name.value.trim(), pin: form.elements.pin.value });
        location.replace("/");
    } catch (refused) {
        wrong.textContent = say("refused_" + refused.word, {}, refused.message);
        form.elements.pin.value = "";
        form.elements.pin.focus();
    } finally {
        button.disabled = false;
    }
};
