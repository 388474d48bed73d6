#include "tests/config/example.h"

// Exact messages for what YAML itself, or other readers of it, would let pass.
// Each line was read as a person would meet it; a change here is a change of what users see.

namespace attune::example {
namespace {

struct BadConfig {
  const char* name;
  Files files;
  std::vector<std::string> overrides;
  const char* message;
};

class BadYaml : public testing::TestWithParam<BadConfig> {};

TEST_P(BadYaml, IsRefusedInTheseWords) {
  EXPECT_EQ(Loaded(GetParam().files, GetParam().overrides).error(), GetParam().message);
}

// clang-format off
const std::vector<BadConfig> kCases{
    {"ADuplicateKey",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain:\n  steps: 5\n  shuffle: true\n  steps: 6\n"}}, {},
     R"(configs/a.yaml:7:3: error: duplicate key 'steps'; other readers silently take either
    7 |   steps: 6
      |   ^ again here
  configs/a.yaml:5:3: note: first set here
1 error, nothing was run.)"},
    {"AMergeKey",
     {{"configs/a.yaml", kHead + "model:\n  <<: {patch: 8}\n  kind: vit\n"}}, {},
     R"(configs/a.yaml:4:3: error: merge keys (<<) are not read; put shared keys into a group file and name it under defaults:
    4 |   <<: {patch: 8}
      |   ^
1 error, nothing was run.)"},
    {"AnAnchorAndItsAlias",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: &d text\nmetrics: [*d]\n"}}, {},
     R"(configs/a.yaml:4:6: error: anchors (&name) are not read; refer to a value by its key, as in ${model.d_model}
    4 | doc: &d text
      |      ^
configs/a.yaml:5:11: error: aliases (*name) are not read; refer to a value by its key, as in ${model.d_model}
    5 | metrics: [*d]
      |           ^
2 errors, nothing was run.)"},
    {"ATag",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: !!str text\n"}}, {},
     R"(configs/a.yaml:4:6: error: the tag '!!str' is not read; a key's type is known (attune explain KEY)
    4 | doc: !!str text
      |      ^
1 error, nothing was run.)"},
    {"AKeyThatIsABooleanToOthers",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\non: 1\nNo: 2\n"}}, {},
     R"(configs/a.yaml:4:1: error: YAML readers turn the key on into a boolean; use another word, or quote it: 'on'
    4 | on: 1
      | ^
configs/a.yaml:5:1: error: YAML readers turn the key No into a boolean; use another word, or quote it: 'No'
    5 | No: 2
      | ^
2 errors, nothing was run.)"},
    {"AReferenceThatIsNotQuotedInAFlowMap",
     {{"configs/a.yaml", kHead + "model: {kind: vit, d_model: ${model.patch}, patch: 8}\n"}}, {},
     R"(configs/a.yaml:3:29: error: ${…} inside [ ] or { } must be quoted, as in {d_ff: '${model.d_model}'}: its braces belong to YAML there
    3 | model: {kind: vit, d_model: ${model.patch}, patch: 8}
      |                             ^
1 error, nothing was run.)"},
    {"AReferenceThatIsNotQuotedInAFlowList",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\noptim:\n  betas: [${optim.lr}]\n"}}, {},
     R"(configs/a.yaml:5:11: error: ${…} inside [ ] or { } must be quoted, as in {d_ff: '${model.d_model}'}: its braces belong to YAML there
    5 |   betas: [${optim.lr}]
      |           ^
1 error, nothing was run.)"},
    {"ATabInTheIndentation",
     {{"configs/a.yaml", kHead + "model:\n	kind: vit\n"}}, {},
     R"(configs/a.yaml:4:1: error: a tab in the indentation, which YAML forbids; use spaces
    4 |  kind: vit
      | ^
1 error, nothing was run.)"},
    {"TwoDocuments",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\n---\nname: u\n"}}, {},
     R"(configs/a.yaml:4:1: error: a second YAML document starts here; a config is one document, in a file of its own
    4 | ---
      | ^
1 error, nothing was run.)"},
    {"AnEmptyFile",
     {{"configs/a.yaml", ""}}, {},
     R"(configs/a.yaml: error: the file is empty; a config is a map of keys, such as 'kind: train'
1 error, nothing was run.)"},
    {"AFileOfComments",
     {{"configs/a.yaml", "# nothing\n"}}, {},
     R"(configs/a.yaml: error: the file is empty; a config is a map of keys, such as 'kind: train'
1 error, nothing was run.)"},
    {"AListAsRoot",
     {{"configs/a.yaml", "- schema: attune/experiment@1\n"}}, {},
     R"(configs/a.yaml:1:1: error: the file holds a list; a config is a map of keys, such as 'kind: train'
    1 | - schema: attune/experiment@1
      | ^
1 error, nothing was run.)"},
    {"AWordAsRoot",
     {{"configs/a.yaml", "hello\n"}}, {},
     R"(configs/a.yaml:1:1: error: the file holds a single value; a config is a map of keys, such as 'kind: train'
    1 | hello
      | ^
1 error, nothing was run.)"},
    {"ABracketThatIsNotClosed",
     {{"configs/a.yaml", kHead + "model: {kind: vit\ntrain: {steps: 5}\n"}}, {},
     R"(configs/a.yaml:4:6: error: this is no YAML (end of map flow not found): a comma is missing, or a bracket is not closed
    4 | train: {steps: 5}
      |      ^
1 error, nothing was run.)"},
    {"AQuoteThatIsNotClosed",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: \"where does it end\n"}}, {},
     R"(configs/a.yaml:4:6: error: this quote is not closed
    4 | doc: "where does it end
      |      ^
1 error, nothing was run.)"},
    {"AColonInAText",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: answer: 42\n"}}, {},
     R"(configs/a.yaml:4:12: error: this is no YAML (illegal map value): a text that holds ': ' must be quoted, and keys of one map start in one column
    4 | doc: answer: 42
      |            ^
1 error, nothing was run.)"},
    {"AnIndentationThatMatchesNothing",
     {{"configs/a.yaml", kHead + "train:\n    steps: 5\n  shuffle: true\n"}}, {},
     R"(configs/a.yaml:5:3: error: this is no YAML (end of map not found): check the indentation of this line and the one above
    5 |   shuffle: true
      |   ^
1 error, nothing was run.)"},
    {"AKeyThatIsAList",
     {{"configs/a.yaml", kHead + "? [a, b]\n: 3\n"}}, {},
     R"(configs/a.yaml:3:3: error: a key must be a word
    3 | ? [a, b]
      |   ^
1 error, nothing was run.)"},
    {"AControlCharacter",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: a\x01" "b\n"}}, {},
     R"(configs/a.yaml:4:7: error: the control character 0x01; is this a text file?
    4 | doc: a?b
      |       ^
1 error, nothing was run.)"},
    {"AReferenceThatIsNotClosed",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: ${model.patch\n"}}, {},
     R"(configs/a.yaml:4:6: error: '${model.patch' is no reference to a key; write one as in ${model.d_model}
    4 | doc: ${model.patch
      |      ^
1 error, nothing was run.)"},
    {"AFileThatIsNotThere",
     {{"configs/b.yaml", kHead}}, {},
     R"(configs/a.yaml: error: no such file
1 error, nothing was run.)"},
    {"ATerminalCommandInAText",
     {{"configs/a.yaml", kHead + "model: {kind: \"\\x1b[2Jvit\"}\n"}}, {},
     R"(configs/a.yaml:3:9: error: model.kind='?[2Jvit' is none of vit, mlp
    3 | model: {kind: "\x1b[2Jvit"}
      |               ^ set here
1 error, nothing was run.)"},
    {"AFolder",
     {{"configs/a.yaml/x.yaml", kHead}}, {},
     R"(configs/a.yaml: error: is a folder; name the YAML file in it
1 error, nothing was run.)"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(Config, BadYaml, testing::ValuesIn(kCases),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace attune::example
