#include <chrono>

#include "base/philox.h"
#include "tests/config/example.h"

namespace attune::example {
namespace {

const std::string kValid =
    kHead +
    "doc: \"two\\nlines ${model.d_model}\"\nmodel:\n  kind: vit\n  d_model: 96\n  attention: "
    "{score: dot, dropout: 1e-1}\n"
    "optim: {lr: 5.0e-4, betas: [0.9, 0.999], clip_norm: null}\ntrain:\n  steps: 1_000\n  stop: "
    "{metric: 'val/loss'}\n"
    "seeds: [0, 1, 2]  # three\nmetrics:\n  - test/accuracy\n  - test/auc\nkind: |\n  train\n";

// Loads a text as a whole study and returns its errors; a crash or a sanitizer's report is what the
// tests look for.
std::string errors_of(const std::string& text, std::vector<std::string> overrides = {}) {
  Root root;
  FieldList fields;
  root.fields(fields);
  Diagnostics diagnostics;
  const Document document = compose({.path = "f.yaml",
                                     .overrides = std::move(overrides),
                                     .library = "",
                                     .cwd = "/",
                                     .text = text},
                                    diagnostics);
  if (document.usable) {
    check_schema(document, diagnostics);
    bind(document, fields, diagnostics);
    dump(fields);
  }
  return diagnostics.ok() ? "" : diagnostics.text();
}

TEST(Fuzz, TheFileItStartsFromIsValid) { EXPECT_EQ(errors_of(kValid), ""); }

TEST(Fuzz, EveryTruncationIsReadOrRefused) {
  for (std::size_t n = 0; n < kValid.size(); ++n) errors_of(kValid.substr(0, n));
}

TEST(Fuzz, FlippedBytesAreReadOrRefused) {
  const Stream stream(1, "fuzz", "bytes");
  for (std::uint32_t round = 0; round < 2000; ++round) {
    std::string text = kValid;
    for (std::uint32_t flip = 0; flip <= round % 4; ++flip) {
      const auto at = stream.below(static_cast<std::uint32_t>(text.size()), 2 * flip, round);
      text[at] = static_cast<char>(stream.below(256, 2 * flip + 1, round));
    }
    errors_of(text);
  }
}

TEST(Fuzz, ShuffledPiecesOfYamlAreReadOrRefused) {
  const std::vector<std::string> pieces{
      "model",       ": ", "{",    "}",    "[",   "]",  ", ", "\n",  "  ",  "- ", "? ",    "&a ",
      "*a",          "<<", "!!x ", "\"",   "'",   "${", "}",  "|\n", ">\n", "#",  "---\n", "...\n",
      "%YAML 1.1\n", "\t", "???",  "kind", "vit", "@",  "\\", "é",   "~",   "1e9"};
  const Stream stream(1, "fuzz", "pieces");
  for (std::uint32_t round = 0; round < 3000; ++round) {
    std::string text = round % 2 ? kHead : "";
    for (std::uint32_t i = 0; i < 30; ++i)
      text += pieces[stream.below(static_cast<std::uint32_t>(pieces.size()), i, round)];
    errors_of(text);
    errors_of(kHead, {"model=" + text, text});
  }
}

TEST(Fuzz, HostileSizesAreRefusedQuickly) {
  const auto repeated = [](std::string_view piece, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += piece;
    return out;
  };
  std::string keys;
  for (int i = 0; i < 24'000; ++i) keys += fmt::format("k{}: 1\n", i);
  const std::vector<std::string> texts{"a: " + repeated("[", 500'000),
                                       repeated("- ", 500'000),
                                       "a: " + repeated("{", 500'000),
                                       repeated("? ", 400'000),
                                       "a: [" + repeated("1,", 400'000) + "]",
                                       keys,
                                       "a: \"" + repeated("x ", 400'000),
                                       repeated("a", 1'000'000),
                                       std::string(1'000'000, '\0'),
                                       repeated("\n", 1'000'000),
                                       std::string(3'000'000, 'x')};
  for (const std::string& text : texts) {
    const auto start = std::chrono::steady_clock::now();
    const std::string errors = errors_of(text);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_NE(errors, "") << text.substr(0, 20);
    EXPECT_LT(errors.size(), 100'000u) << text.substr(0, 20);
    EXPECT_LT(took.count(), 10) << text.substr(
        0, 20);  // a second on an idle core; the sanitizers are ten times slower
  }
}

}  // namespace
}  // namespace attune::example
