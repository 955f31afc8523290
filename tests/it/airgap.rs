//! No internet socket: by the kernel's filter, in a network namespace without a network, and under strace where it is installed.
//! Nothing else about Linux stands here.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use crate::tool::{Answer, BINARY, command, made_up, repository};

fn fixture() -> String {
    repository("fixtures/qdrant/good/points.jsonl.zst").display().to_string()
}

#[test]
fn the_running_program_is_under_a_seccomp_filter() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("points.jsonl"), made_up(0, 40_000, 64)).expect("written");
    let mut child = command(folder.path(), &["convert", "points.jsonl", "out.lance"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    while !folder.path().join("out.lance.partial").exists() {
        assert!(child.try_wait().expect("a status").is_none(), "it ended too early");
    }
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).expect("its threads");
    let mut seen = 0;
    for task in tasks.flatten() {
        // A thread may be gone by now.
        let Ok(status) = std::fs::read_to_string(task.path().join("status")) else { continue };
        assert!(status.lines().any(|l| l == "Seccomp:\t2"), "a thread without the filter:\n{status}");
        seen += 1;
    }
    assert!(seen > 1, "only {seen} threads seen");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn the_filter_refuses_internet_sockets_and_io_uring_and_nothing_else() {
    assert_eq!(std::net::TcpListener::bind("127.0.0.1:0").map(|_| ()).map_err(|e| e.kind()), Ok(()), "sockets work before the seal");
    // In a child: the filter cannot be taken off again. The program has no command that opens a socket, so the library's seal
    // is applied to a copy of this test binary that then tries.
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "airgap::sealed_child", "--nocapture"])
        .env("VEC2LANCE_SEALED_CHILD", "1")
        .output();
    let answer = Answer::of(&child.expect("it starts")).expect(0);
    assert!(answer.stdout.contains("inet refused: PermissionDenied, unix allowed"), "{answer:?}");
}

#[test]
fn sealed_child() {
    if std::env::var_os("VEC2LANCE_SEALED_CHILD").is_none() {
        return;
    }
    assert_eq!(vec2lance::seal::seal(), vec2lance::seal::Seal::On);
    let inet = std::net::TcpListener::bind("127.0.0.1:0").expect_err("refused").kind();
    let inet6 = std::net::UdpSocket::bind("[::1]:0").expect_err("refused").kind();
    assert_eq!(inet, inet6);
    std::os::unix::net::UnixStream::pair().expect("Unix sockets are no network");
    println!("inet refused: {inet:?}, unix allowed");
}

#[test]
fn it_works_without_a_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = fixture();
    let works = |args: &[&str]| Command::new("unshare").args(args).arg("true").output().is_ok_and(|o| o.status.success());
    let Some(args) = [&["-n"][..], &["-rn"]].into_iter().find(|a| works(a)) else {
        println!("note: unshare cannot make a network namespace here; the seccomp tests stand alone");
        return;
    };
    let output = Command::new("unshare").args(args).args([BINARY, "convert", &fixture, "out.lance"]).current_dir(folder.path()).output();
    Answer::of(&output.expect("it starts")).expect(0);
}

#[test]
fn strace_sees_no_internet_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    if Command::new("strace").arg("-V").output().is_err() {
        println!("note: strace is not installed; the seccomp tests stand alone");
        return;
    }
    let fixture = fixture();
    let args = ["-f", "-o", "trace", "-e", "trace=socket,connect,io_uring_setup", BINARY, "convert", &fixture, "out.lance"];
    Answer::of(&Command::new("strace").args(args).current_dir(folder.path()).output().expect("it starts")).expect(0);
    let trace = std::fs::read_to_string(folder.path().join("trace")).expect("a trace");
    let calls: Vec<&str> = trace.lines().filter(|l| l.contains("AF_INET") || l.contains("io_uring_setup(")).collect();
    assert!(calls.is_empty(), "{calls:?}");
}
