//! Fuel runs out, when it should, and nothing else is lost.

use serde_json::json;

use crate::js::Js;

#[test]
fn an_endless_loop_ends_and_what_it_wrote_is_there() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("spin", {}, { fuel: 1_000_000 });
        const told = [await codeOf(() => instance.call("forever")), instance.fuel];
        told.push(await codeOf(() => instance.call("count", [1])));
        instance.setFuel(10_000);
        told.push(await codeOf(() => instance.call("count", [1_000_000])));
        told.push(new Uint32Array(instance.memory().buffer)[0] > 100);
        instance.setFuel(1000);
        told.push(instance.call("count", [3]), instance.fuel < 1000);
        return told;
        "#,
    );
    assert_eq!(told, json!([5006, 0, 5006, 5006, true, 3, true]));
}

#[test]
fn the_same_call_costs_the_same_each_time() {
    let told = Js::new().run(
        r#"
        const costs = [];
        for (let i = 0; i < 3; i++) {
            const instance = await fixture("spin", {}, { fuel: 100_000 });
            instance.call("count", [1000]);
            costs.push(100_000 - instance.fuel);
        }
        const enough = async (fuel) => {
            const instance = await fixture("spin", {}, { fuel });
            return await codeOf(() => instance.call("count", [1000])) !== 5006;
        };
        let [less, least] = [0, costs[0]];
        while (less + 1 < least) {
            const middle = Math.floor((less + least) / 2);
            if (await enough(middle)) least = middle;
            else less = middle;
        }
        return [
            costs.every((cost) => cost === costs[0]),
            await enough(least), await enough(least), await enough(least - 1),
            // Fuel is checked where code may loop: the last stretch may run on credit.
            costs[0] - least < 20,
        ];
        "#,
    );
    assert_eq!(told, json!([true, true, true, false, true]));
}

#[test]
fn instances_of_one_store_share_its_budget() {
    let told = Js::new().run(
        r#"
        const store = new WasmStore({ fuel: 10_000 });
        const a = await fixture("spin", {}, { store });
        const b = await fixture("spin", {}, { store });
        const code = await codeOf(() => a.call("forever"));
        return [code, b.fuel, store.fuel, await codeOf(() => b.call("count", [1]))];
        "#,
    );
    assert_eq!(told, json!([5006, 0, 0, 5006]));
}

#[test]
fn a_module_runs_metered_and_not() {
    let told = Js::new().run(
        r#"
        const module = await compile(text(fixtures.add));
        const plain = await instantiate(module);
        const metered = await instantiate(module, {}, { fuel: 100 });
        return [plain.fuel ?? null, metered.fuel, plain.call("add", [1, 2]),
            metered.call("add", [3, 4])];
        "#,
    );
    assert_eq!(told, json!([null, 100, 3, 7]));
}
