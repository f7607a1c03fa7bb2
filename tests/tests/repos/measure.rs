use super::{Place, commit_of, run_id};
use std::process::{Command, Stdio};
use std::time::Instant;
use tako_engine::port::RepoSource;
use tako_tests::git::{HttpServer, TestRepo};

#[tokio::test(flavor = "multi_thread")]
#[ignore]
async fn measure() {
    let place = Place::new();
    let repo = TestRepo::at(&place.path("upstream"));
    repo.write("tako.yml", super::MANIFEST);
    for d in 0..200 {
        for f in 0..100 {
            repo.write(&format!("src/{d:03}/{f:03}.txt"), format!("// {d}/{f}\n").repeat(20));
        }
    }
    repo.commit("all");
    let commit = repo.write("README", "x").commit("second");
    repo.bare_clone(&place.path("served/o/r.git"));
    let http = HttpServer::serve(&place.path("served"));
    let url = http.clone_url("o/r");
    for _ in 0..7 {
        let p = Place::new();
        let start = Instant::now();
        let mut command = tako_tests::git::command(p.root.path());
        assert!(
            command
                .args(["clone", "--quiet", "--depth", "1", &url, "x"])
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        let git = start.elapsed();
        let start = Instant::now();
        let mut command = tako_tests::git::command(p.root.path());
        assert!(
            command
                .args(["clone", "--quiet", "--bare", "--depth", "1", &url, "y"])
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        let gitfetch = start.elapsed();
        let repos = p.repos(Some(http.template()));
        let start = Instant::now();
        let checkout = repos.open(&commit_of("o/r:main", &commit)).await.unwrap();
        let fetch = start.elapsed();
        let w = repos.workspace(&checkout, &run_id(), &[]).await.unwrap();
        let all = start.elapsed();
        let start = Instant::now();
        let checkout = repos.open(&commit_of("o/r:main", &commit)).await.unwrap();
        repos.workspace(&checkout, &"exec-20260726-143022-a7b3c1d3".parse().unwrap(), &[]).await.unwrap();
        let warm = start.elapsed();
        let start = Instant::now();
        let mut command = tako_tests::git::command(&w.path);
        assert!(command.args(["status", "--porcelain"]).stdout(Stdio::null()).status().unwrap().success());
        let status = start.elapsed();
        println!(
            "git {git:?} (bare {gitfetch:?}) tako {all:?} (fetch {fetch:?}) ratio {:.2} warm {warm:?} first status {status:?}",
            all.as_secs_f64() / git.as_secs_f64()
        );
    }
    let _ = Command::new("true").status();
}
