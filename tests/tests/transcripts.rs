//! What users see, as files in review: `tests/transcripts/*.md`. `TRYCMD=overwrite` writes them anew.

use tako_tests::binary;

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .register_bin("tako", binary::tako())
        .env("TAKO_HOME", "/nonexistent/tako")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .case("transcripts/*.md");
}
