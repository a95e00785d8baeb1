#[path = "../benches/yardstick.rs"]
mod yardstick;
use raddle::search::reduced;
use raddle::search::reference::Limits;
fn main() {
    let a: Vec<u8> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    for stop in [false, true] {
    let program = yardstick::Yardstick::program(a[0], a[1], stop);
    let begun = std::time::Instant::now();
    let r = reduced::search(&program, &program.memory(), Limits::default(), |_| {}).unwrap();
    println!("{:?} stop {stop}: {} states {} transitions {} nodes {} bytes {:?} {:?} hits {:?}", a, r.outcome.states, r.outcome.transitions, r.outcome.nodes, r.outcome.bytes, begun.elapsed(), r.hazards.keys(), program.subject().hits());
    }
}
