//! Families of scenarios by size: devices on one bus, asynchronous drivers registered by tasks of their own, and a
//! task that undoes something; on v6.2.

use raddle::{Options, Scenario};

/// A family, devices, drivers, and the states that the default search stores.
pub type Row = (&'static str, u8, u8, usize);

/// What a test has time for.
pub const SMALL: &[Row] = &[
    ("plain", 1, 1, 1),
    ("plain", 1, 2, 11),
    ("plain", 2, 1, 2),
    ("plain", 2, 2, 39),
    ("plain", 3, 1, 5),
    ("enodev", 2, 2, 99),
    ("sync", 2, 2, 14),
    ("res", 1, 2, 11),
    ("mod", 1, 2, 50),
    ("del", 2, 1, 28),
    ("add", 1, 2, 491),
];

/// What only the benchmark has time for.
#[allow(dead_code, reason = "the test takes the small ones")]
pub const LARGE: &[Row] = &[
    ("plain", 1, 3, 40),
    ("plain", 2, 3, 220),
    ("plain", 3, 2, 169),
    ("plain", 3, 3, 1_407),
    ("plain", 4, 3, 9_698),
    ("plain", 3, 4, 6_946),
    ("enodev", 2, 3, 578),
    ("enodev", 3, 2, 519),
    ("plain", 5, 3, 71_942),
    ("plain", 4, 4, 62_966),
    ("mod", 2, 2, 185),
    ("mod", 2, 3, 1_045),
    ("mod", 3, 2, 964),
    ("del", 2, 2, 835),
    ("del", 2, 3, 11_463),
    ("del", 3, 2, 1_455),
    ("res", 2, 2, 5_068),
    ("res", 2, 3, 130_199),
    ("res", 3, 2, 478_062),
    ("add", 2, 2, 20_785),
    ("add", 2, 3, 219_151),
    ("add", 3, 2, 1_004_475),
    ("defer", 2, 2, 116_466),
];

fn scenario(family: &str, devices: u8, drivers: u8) -> String {
    let mut text = "title = \"a family\"\nrevisions = [\"v6.2\"]\n".to_owned();
    let initially = if family == "add" { "absent" } else { "added" };
    if family == "res" {
        text += "[resource.r]\n";
    }
    for d in 0..devices {
        text += &format!("[device.d{d}]\ninitially = \"{initially}\"\n");
    }
    for v in 0..drivers {
        let probe = match family {
            "enodev" => r#"["return(-ENODEV, 0)"]"#,
            "defer" => r#"["return(-EPROBE_DEFER, 0)"]"#,
            "res" if v == 0 => r#"["provide(r)", "return(0)"]"#,
            "res" => r#"["require(r)", "return(0)"]"#,
            _ => r#"["return(0)"]"#,
        };
        let kind = if family == "sync" { "default" } else { "prefer-asynchronous" };
        text += &format!("[driver.v{v}]\nprobe-type = \"{kind}\"\nprobe = {probe}\n");
        let register = if family == "mod" { "load_module" } else { "driver_register" };
        text += &format!("[task.reg{v}]\nrun = [\"{register}(v{v})\"]\n");
    }
    for d in (0..devices).filter(|_| family == "add") {
        text += &format!("[task.add{d}]\nrun = [\"device_register(d{d})\"]\n");
    }
    let undo = match family {
        "del" => "device_unregister(d0)",
        "mod" => "delete_module(v0)",
        _ => "driver_unregister(v0)",
    };
    text += &format!("[task.undo]\nrun = [\"{undo}\"]\n");
    text + &format!("[environment]\nworkers = {}\n", (2 * devices * drivers).clamp(1, 16))
}

/// The states that the default search stores, on so many threads.
pub fn states(family: &str, devices: u8, drivers: u8, threads: usize) -> usize {
    let scenario = Scenario::parse("family.toml", &scenario(family, devices, drivers));
    let scenario = scenario.unwrap_or_else(|errors| panic!("{}", errors[0]));
    let report = scenario.check_on("v6.2", &Options::default().threads(threads), |_| {});
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    assert!(!report.cut, "the search ends");
    report.states
}
