//! Plays scenes beside each other.
//!
//! A scene waits nearly all of its time, for the next second or for a channel to turn, but libtest runs only as many
//! tests at once as there are cores. So when the whole programme is asked for, the first test starts all scenes, and
//! each test waits for its own. With a filter on the command line, each test starts its own scene alone.

/// Makes a test of each scene, and the list of all of them.
macro_rules! programme {
    ($($part:ident: $($scene:ident),+;)+) => {
        $(
            #[cfg(test)]
            mod $part {
                $(
                    #[test]
                    fn $scene() {
                        let name = concat!(stringify!($part), "::", stringify!($scene));
                        crate::harness::play_to_end(crate::PROGRAMME, name);
                    }
                )+
            }
        )+

        const PROGRAMME: &[harness::Scene] = &[$($(
            harness::Scene {
                name: concat!(stringify!($part), "::", stringify!($scene)),
                play: || Box::pin(scenes::$part::$scene()),
            },
        )+)+];
    };
}

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// How many scenes are played at once; further ones wait, so that none waits for a starved machine instead.
const AT_ONCE: usize = 9;
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// Parts whose scenes are played alone, since each of them is a crowd itself.
const ALONE: [&str; 4] = ["crowd::", "amid::", "steps::", "workflows::"];

/// Scenes that start many processes, or make many objects or edits: each takes so many places.
const BUSY: [(&str, usize); 2] = [("http", 3), ("cases_life::case_39", 4)];

thread_local! {
    /// What the last panic of this thread said, and where.
    static WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// One test.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) play: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

/// How a scene ended: well, or with these words.
type End = Result<(), String>;

type Playing = BTreeMap<&'static str, JoinHandle<End>>;

/// Waits for the end of one scene; fails as it fails.
pub(crate) fn play_to_end(programme: &'static [Scene], name: &str) {
    let scene = take(programme, name);
    if let Err(words) = scene.join().unwrap() {
        panic!("{words}");
    }
}

fn take(programme: &'static [Scene], name: &str) -> JoinHandle<End> {
    let mut playing = playing(programme);
    playing.remove(name).unwrap_or_else(|| start(programme.iter().find(|scene| scene.name == name).unwrap()))
}

fn playing(programme: &'static [Scene]) -> MutexGuard<'static, Playing> {
    static PLAYING: OnceLock<Mutex<Playing>> = OnceLock::new();
    let start_all = || {
        keep_words_of_panics();
        let now = programme.iter().filter(|_| whole_programme());
        Mutex::new(now.map(|scene| (scene.name, start(scene))).collect())
    };
    // Every client of every scene wants it, whichever comes first. An error says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    PLAYING.get_or_init(start_all).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A scene's thread may print into the output of whichever test came first: its words are kept for its own test.
fn keep_words_of_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        WORDS.set(panic.to_string());
        before(panic);
    }));
}

fn start(scene: &Scene) -> JoinHandle<End> {
    let play = scene.play;
    let alone = ALONE.iter().any(|part| scene.name.starts_with(part));
    let busy = BUSY.iter().find(|(part, _)| scene.name.starts_with(part));
    let places = if alone { AT_ONCE } else { busy.map_or(1, |(_, places)| *places) };
    let places = u32::try_from(places).unwrap();
    let scene = move || {
        runtime().block_on(async {
            let _place = PLACES.acquire_many(places).await.unwrap();
            play().await;
        });
    };
    thread::spawn(move || catch_unwind(AssertUnwindSafe(scene)).map_err(|_| WORDS.take()))
}

fn whole_programme() -> bool {
    std::env::args()
        .skip(1)
        .all(|arg| ["--nocapture", "--no-capture", "--quiet", "-q", "--show-output"].contains(&&*arg))
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("scenes")
            .enable_all()
            .build()
            .unwrap()
    })
}
