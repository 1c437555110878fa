//! What is inside of a block is left out, and with it what is known of what comes behind; and what tests take from each
//! other is bounded.

use super::*;

/// The reasons why commands behind a block with this one in it are left out.
fn behind(inside: Value, behind: &[Value]) -> Vec<String> {
    let before = [
        command("store", "Ada", "user"),
        command("storeWindowHandle", "root", ""),
        command("chooseOkOnNextConfirmation", "", ""),
        command("if", "1 > 0", ""),
        inside,
        command("end", "", ""),
    ];
    let flow = imported([&before[..], behind].concat());
    let left = flow.left_out.into_iter().filter(|left| left.number > before.len() && !left.carried);
    left.map(|left| left.reason).collect()
}

#[test]
fn what_a_block_may_have_changed_is_not_known_behind_it() {
    let typed = || command("type", "id=a", "${user}");
    let click = || command("click", "id=a", "");
    let unknown = "the value of \"user\" is known while the test is run only";
    for stores in ["store", "storeText", "executeScript"] {
        assert_eq!(behind(command(stores, "Eve", "user"), &[typed()]), [unknown], "{stores}");
    }
    let end = command("end", "", "");
    assert_eq!(behind(command("forEach", "names", "user"), &[end, typed()]), [unknown]);
    assert!(behind(command("store", "Eve", "other"), &[typed()]).is_empty());
    let frame = "it is in a frame that was not carried over";
    let top = command("selectFrame", "relative=top", "");
    let inside = command("selectFrame", "index=0", "");
    assert_eq!(behind(inside, &[click(), top, click()]), [frame]);
    let window = "it is in a window that was not carried over";
    let root = || command("selectWindow", "handle=${root}", "");
    assert_eq!(behind(command("selectWindow", "handle=${other}", ""), &[click(), root(), click()]), [window]);
    let other = command("storeWindowHandle", "root", "");
    assert_eq!(behind(other, &[root()]), ["flows know a window by its address only"]);
}

#[test]
fn what_was_said_of_a_dialog_before_a_block_is_not_said_of_one_behind_it() {
    let flow = imported(vec![
        command("chooseOkOnNextConfirmation", "", ""),
        command("if", "1 > 0", ""),
        command("click", "id=delete", ""),
        command("end", "", ""),
        command("click", "id=a", ""),
    ]);
    let kinds: Vec<_> = steps(&flow).iter().map(|step| step["type"].clone()).collect();
    assert_eq!(kinds, ["click"]);
}

#[test]
fn a_test_that_is_run_inside_of_a_block_changes_what_its_commands_do() {
    let login = vec![command("run", "names", ""), command("run", "login", "")];
    let main = vec![
        command("store", "Ada", "user"),
        command("if", "1 > 0", ""),
        command("run", "login", ""),
        command("end", "", ""),
        command("type", "id=user", "${user}"),
    ];
    let names = vec![command("store", "Eve", "user")];
    let text = project(&[("main", main), ("login", login), ("names", names)]);
    let import = SeleniumImport::parse(&text).unwrap();
    assert!(steps(&import.flows[0]).is_empty(), "{:?}", import.flows[0]);
}

#[test]
fn tests_take_only_so_much_from_each_other() {
    for (inner, why) in [
        (command("store", "a", "b"), "take more than 100000 commands from each other"),
        (command("click", "id=a", ""), "at most 10000 steps"),
        (command("mouseMoveAt", "id=a", ""), "1000 commands are told as left out"),
    ] {
        let tests: Vec<_> = (0..=NESTED_MAX).map(|index| format!("{index}")).collect();
        let of = |index: usize| vec![command("run", &tests[index + 1], ""); 6];
        let mut all: Vec<_> = (0..NESTED_MAX).map(|index| (&*tests[index], of(index))).collect();
        all.push((&*tests[NESTED_MAX], vec![inner; 6]));
        let import = SeleniumImport::parse(&project(&all)).unwrap();
        let left = &import.flows[0].left_out;
        assert!(left.last().unwrap().reason.contains(why), "{:?}", left.last());
        assert!(left.len() <= LEFT_OUT_MAX);
        BrowserFlow::parse(&import.flows[0].document).unwrap();
    }
}
