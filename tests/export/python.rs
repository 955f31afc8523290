//! Real servers and official clients, from PyPI in a virtual environment of the tests' own. What runs in it stands in `servers/`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::tool::Answer;

/// A file of `tests/export/servers`.
pub(crate) fn script(name: &str) -> PathBuf {
    // By this file, not by the package: the exporter can be built and tried without the rest.
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join(Path::new(file!()).with_file_name("servers"));
    servers.join(name)
}

/// The Python of the virtual environment, made on first use and anew where the requirements changed.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let requirements = script("requirements.txt");
        let wanted = std::fs::read_to_string(&requirements).expect("requirements.txt");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers-venv");
        let (python, stamp) = (folder.join("bin/python"), folder.join("requirements.installed"));
        if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) && python.is_file() {
            return python;
        }
        let run = |program: &Path, args: &[&str]| {
            let output = Command::new(program).args(args).output().expect("it starts");
            Answer::of(&output).expect(0);
        };
        let _ = std::fs::remove_dir_all(&folder);
        run(Path::new("python3"), &["-m", "venv", folder.to_str().expect("UTF-8")]);
        run(&python, &["-m", "pip", "install", "-q", "-r", requirements.to_str().expect("UTF-8")]);
        std::fs::write(stamp, wanted).expect("the stamp");
        python
    })
}

/// A program of the virtual environment.
pub(crate) fn installed(name: &str) -> PathBuf {
    python().with_file_name(name)
}

/// Runs a script of `servers/` to its end.
pub(crate) fn run_script(name: &str, args: &[&str]) -> Answer {
    Answer::of(&Command::new(python()).arg(script(name)).args(args).output().expect("Python starts"))
}

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts it, silent.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"))
    }

    /// Waits until `ready`, at most a minute.
    pub(crate) fn until(mut self, ready: impl Fn() -> bool) -> Self {
        let end = Instant::now() + Duration::from_mins(1);
        while !ready() {
            assert!(self.0.try_wait().expect("a child").is_none(), "the server ended");
            assert!(Instant::now() < end, "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        self
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}
