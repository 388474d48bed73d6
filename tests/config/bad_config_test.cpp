#include "tests/config/example.h"

// Exact messages for keys, values, groups, overrides.
// Each line was read as a person would meet it; a change here is a change of what users see.

namespace attune::example {
namespace {

struct BadConfig {
  const char* name;
  Files files;
  std::vector<std::string> overrides;
  const char* message;
};

class BadValues : public testing::TestWithParam<BadConfig> {};

TEST_P(BadValues, IsRefusedInTheseWords) {
  EXPECT_EQ(Loaded(GetParam().files, GetParam().overrides).error(), GetParam().message);
}

// clang-format off
const std::vector<BadConfig> kCases{
    {"TheExampleOfTheManual",
     {{"configs/a.yaml", kHead + "defaults: [model: tiny]\nmodel:\n  n_heads: 6\n"}, {"configs/model/tiny.yaml", "kind: vit\npatch: 8\nd_model: 48\n"}}, {"model.d_model=64", "modle.d_model=64"},
     R"(configs/a.yaml:5:3: error: model.n_heads=6 does not divide model.d_model=64
    5 |   n_heads: 6
      |            ^ set here
  configs/model/tiny.yaml:3:1: note: d_model was 48 here, overridden to 64 on the command line
  valid values near 6: 4, 8
command line: error: unknown key 'modle.d_model'; did you mean 'model.d_model'?  (int, 1..4096, default 64)
2 errors, nothing was run.)"},
    {"ARuleBrokenByADefault",
     {{"configs/a.yaml", kHead + "model: {kind: vit, n_heads: 5}\n"}}, {},
     R"(configs/a.yaml:3:20: error: model.n_heads=5 does not divide model.d_model=64
    3 | model: {kind: vit, n_heads: 5}
      |                             ^ set here
  note: d_model is 64 by default
  valid values near 6: 4, 8
1 error, nothing was run.)"},
    {"ARuleBrokenOnTheCommandLine",
     {{"configs/a.yaml", kHead + "model:\n  kind: vit\n  n_heads: 4\n  d_model: 96\n"}}, {"model.n_heads=7"},
     R"(command line: error: model.n_heads=7 does not divide model.d_model=96
  configs/a.yaml:5:3: note: n_heads was 4 here, overridden to 7 on the command line
  configs/a.yaml:6:3: note: d_model is 96 here
  valid values near 6: 4, 8
1 error, nothing was run.)"},
    {"ATypoInAKeyAndOneInAGroup",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain:\n  stepz: 5\noptm:\n  lr: 0.1\n"}}, {},
     R"(configs/a.yaml:5:3: error: unknown key 'train.stepz'; did you mean 'train.steps'?  (int, 0..1000000000, default 500)
    5 |   stepz: 5
      |   ^ not a key
configs/a.yaml:6:1: error: unknown key 'optm'; did you mean 'optim'?  (group)
    6 | optm:
      | ^ not a key
2 errors, nothing was run.)"},
    {"AKeyNearNothingOfAKindIsToldThatKindsKeys",
     {{"configs/a.yaml", kHead + "model: {kind: mlp, banana: 1}\n"}}, {},
     R"(configs/a.yaml:3:20: error: unknown key 'model.banana'
    3 | model: {kind: mlp, banana: 1}
      |                    ^ not a key
  model has: dropout, kind, width
1 error, nothing was run.)"},
    {"AKeyNearNothing",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\nepochs: 4\ntrain: {banana: 1}\n"}}, {},
     R"(configs/a.yaml:4:1: error: unknown key 'epochs'
    4 | epochs: 4
      | ^ not a key
  the keys are: doc, kind, metrics, model, name, optim, seeds, train
configs/a.yaml:5:9: error: unknown key 'train.banana'
    5 | train: {banana: 1}
      |         ^ not a key
  train has: eval_every, init_from, shuffle, steps, stop
2 errors, nothing was run.)"},
    {"AKeyOfAnotherGroup",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain: {lr: 0.1}\n"}}, {},
     R"(configs/a.yaml:4:9: error: unknown key 'train.lr'; did you mean 'optim.lr'?  (real, 1e-8..1, default 0.001)
    4 | train: {lr: 0.1}
      |         ^ not a key
1 error, nothing was run.)"},
    {"AKeyOfAnotherKind",
     {{"configs/a.yaml", kHead + "model: {kind: mlp, patch: 8}\n"}}, {},
     R"(configs/a.yaml:3:20: error: model.patch belongs to model.kind=vit; here model.kind=mlp
    3 | model: {kind: mlp, patch: 8}
      |                    ^ not a key of this kind
1 error, nothing was run.)"},
    {"ADottedKeyInAFile",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain.steps: 3\n"}}, {},
     R"(configs/a.yaml:4:1: error: 'train.steps' is written with a dot; in a file keys are nested: train: {steps: 3}
    4 | train.steps: 3
      |              ^ set here
1 error, nothing was run.)"},
    {"AKindThatDoesNotExist",
     {{"configs/a.yaml", kHead + "model: {kind: vti, patch: 8}\n"}}, {},
     R"(configs/a.yaml:3:9: error: model.kind=vti is none of vit, mlp; did you mean 'vit'?
    3 | model: {kind: vti, patch: 8}
      |               ^ set here
1 error, nothing was run.)"},
    {"NoKind",
     {{"configs/a.yaml", kHead + "train: {steps: 5}\n"}}, {},
     R"(configs/a.yaml: error: model.kind must be set: vit | mlp
1 error, nothing was run.)"},
    {"NoName",
     {{"configs/a.yaml", "schema: attune/experiment@1\nmodel: {kind: vit}\n"}}, {},
     R"(configs/a.yaml: error: name must be set: name of the study (text)
1 error, nothing was run.)"},
    {"AWordForAGroup",
     {{"configs/a.yaml", kHead + "model: vit\ntrain: fast\n"}}, {},
     R"(configs/a.yaml:3:1: error: model=vit is no map of keys; write model: {kind: vit}
    3 | model: vit
      |        ^ set here
configs/a.yaml:4:1: error: train=fast is no map of keys; write train: {steps: …}
    4 | train: fast
      |        ^ set here
2 errors, nothing was run.)"},
    {"AWordForAGroupOnTheCommandLine",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\n"}}, {"train=fast"},
     R"(command line: error: train=fast is no map of keys; write train.steps=…
1 error, nothing was run.)"},
    {"AGroupThatCannotBeNull",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain: null\n"}}, {},
     R"(configs/a.yaml:4:1: error: train=null: this group cannot be switched off
    4 | train: null
      |        ^ set here
1 error, nothing was run.)"},
    {"WordsForNumbers",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\noptim: {lr: fast}\ntrain: {steps: many}\n"}}, {},
     R"(configs/a.yaml:4:9: error: optim.lr=fast is no number
    4 | optim: {lr: fast}
      |             ^ set here
configs/a.yaml:5:9: error: train.steps=many is no integer
    5 | train: {steps: many}
      |                ^ set here
2 errors, nothing was run.)"},
    {"NumbersOutOfRange",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\noptim: {lr: 2, betas: [0.9, 1.5]}\ntrain: {steps: -3}\n"}}, {},
     R"(configs/a.yaml:4:9: error: optim.lr=2 is out of range; allowed: 1e-8..1
    4 | optim: {lr: 2, betas: [0.9, 1.5]}
      |             ^ set here
configs/a.yaml:4:16: error: optim.betas=[0.9, 1.5] has a bad item 2: 1.5 is out of range; allowed: 0..1
    4 | optim: {lr: 2, betas: [0.9, 1.5]}
      |                       ^ set here
configs/a.yaml:5:9: error: train.steps=-3 is out of range; allowed: 0..1000000000
    5 | train: {steps: -3}
      |                ^ set here
3 errors, nothing was run.)"},
    {"AFractionForAnInteger",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain: {steps: 1.5, eval_every: 1e-3}\n"}}, {},
     R"(configs/a.yaml:4:9: error: train.steps=1.5 is no integer
    4 | train: {steps: 1.5, eval_every: 1e-3}
      |                ^ set here
configs/a.yaml:4:21: error: train.eval_every=1e-3 is no integer
    4 | train: {steps: 1.5, eval_every: 1e-3}
      |                                 ^ set here
2 errors, nothing was run.)"},
    {"NumbersTooLargeForTheirType",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\noptim: {lr: 1e999}\ntrain: {steps: 99999999999999999999}\n"}}, {},
     R"(configs/a.yaml:4:9: error: optim.lr=1e999 is more, or less, than a double holds
    4 | optim: {lr: 1e999}
      |             ^ set here
configs/a.yaml:5:9: error: train.steps=99999999999999999999 is more than 64 bits hold
    5 | train: {steps: 99999999999999999999}
      |                ^ set here
2 errors, nothing was run.)"},
    {"LeadingZeros",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain: {steps: 010}\ndoc: 007\n"}}, {},
     R"(configs/a.yaml:4:9: error: train.steps=010 has a leading zero, which some YAML readers take for octal
    4 | train: {steps: 010}
      |                ^ set here
configs/a.yaml:5:1: error: doc=007 is an octal number to some YAML readers; quote it: '007'
    5 | doc: 007
      |      ^ set here
2 errors, nothing was run.)"},
    {"InfinityAndNotANumber",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\noptim: {lr: .inf, clip_norm: .nan}\n"}}, {},
     R"(configs/a.yaml:4:9: error: optim.lr=.inf is out of range; allowed: 1e-8..1
    4 | optim: {lr: .inf, clip_norm: .nan}
      |             ^ set here
configs/a.yaml:4:19: error: optim.clip_norm=.nan is not a number
    4 | optim: {lr: .inf, clip_norm: .nan}
      |                              ^ set here
2 errors, nothing was run.)"},
    {"AQuotedNumber",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain: {steps: '5'}\n"}}, {},
     R"(configs/a.yaml:4:9: error: train.steps='5' is no integer but a text; write it without quotes
    4 | train: {steps: '5'}
      |                ^ set here
1 error, nothing was run.)"},
    {"BooleansOfYaml11",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain: {shuffle: yes}\ndoc: off\n"}}, {},
     R"(configs/a.yaml:4:9: error: train.shuffle=yes is no bool; write true or false
    4 | train: {shuffle: yes}
      |                  ^ set here
configs/a.yaml:5:1: error: doc=off is a boolean to YAML readers; use another word, or quote it: 'off'
    5 | doc: off
      |      ^ set here
2 errors, nothing was run.)"},
    {"AChoiceThatDoesNotExist",
     {{"configs/a.yaml", kHead + "model: {kind: vit, norm: pots, attention: {score: sideways}}\n"}}, {},
     R"(configs/a.yaml:3:20: error: model.norm=pots is none of pre, post, none; did you mean 'post'?
    3 | model: {kind: vit, norm: pots, attention: {score: sideways}}
      |                          ^ set here
configs/a.yaml:3:44: error: model.attention.score=sideways is none of scaled_dot, dot, cosine
    3 | model: {kind: vit, norm: pots, attention: {score: sideways}}
      |                                                   ^ set here
2 errors, nothing was run.)"},
    {"AListForAValueAndAValueForAList",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\noptim: {lr: [0.1, 0.2], betas: 0.9}\n"}}, {},
     R"(configs/a.yaml:4:9: error: optim.lr=[0.1, 0.2] is a list, but one value is wanted: real
    4 | optim: {lr: [0.1, 0.2], betas: 0.9}
      |             ^ set here
configs/a.yaml:4:25: error: optim.betas=0.9 is a single value; write a list: [0.9]
    4 | optim: {lr: [0.1, 0.2], betas: 0.9}
      |                                ^ set here
2 errors, nothing was run.)"},
    {"AMapForAValue",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: {text: x}\n"}}, {},
     R"(configs/a.yaml:4:1: error: doc is a map of keys, but a value is wanted: text
    4 | doc: {text: x}
      |      ^ set here
1 error, nothing was run.)"},
    {"NullWhereAValueMustBe",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\noptim: {lr: null}\ntrain:\n  steps:\n"}}, {},
     R"(configs/a.yaml:4:9: error: optim.lr=null may not be null
    4 | optim: {lr: null}
      |             ^ set here
configs/a.yaml:6:3: error: train.steps has no value
    6 |   steps:
      |   ^ set here
2 errors, nothing was run.)"},
    {"AValueLeftOpen",
     {{"configs/a.yaml", kHead + "model:\n  kind: vit\n  d_model: ?\??\n"}}, {},
     R"(configs/a.yaml:5:3: error: model.d_model must be set: write model.d_model=VALUE on the command line
    5 |   d_model: ???
      |            ^ set here
1 error, nothing was run.)"},
    {"AValueLeftOpenInAFlowMap",
     {{"configs/a.yaml", kHead + "model: {kind: vit, d_model: ?\??}\n"}}, {},
     R"(configs/a.yaml:3:29: error: ??? inside [ ] or { } must be quoted, as in {d_model: '???'}
    3 | model: {kind: vit, d_model: ???}
      |                             ^
1 error, nothing was run.)"},
    {"ABareNumberOfSeeds",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\nseeds: 5\n"}}, {},
     R"(configs/a.yaml:4:1: error: seeds=5 is a bare number, which could be a count or a seed; write [5] or n=5
    4 | seeds: 5
      |        ^ set here
1 error, nothing was run.)"},
    {"AReferenceToNothing",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: width ${model.d_modle}\n"}}, {},
     R"(configs/a.yaml:4:6: error: 'width ${model.d_modle}': model.d_modle is not set; did you mean 'model.d_model'?
    4 | doc: width ${model.d_modle}
      |      ^
1 error, nothing was run.)"},
    {"AReferenceToAGroup",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: ${model}\n"}}, {},
     R"(configs/a.yaml:4:6: error: '${model}': model is a group of keys; refer to one of them
    4 | doc: ${model}
      |      ^
1 error, nothing was run.)"},
    {"AReferenceToAnOpenValue",
     {{"configs/a.yaml", kHead + "model: {kind: vit, d_model: '?\?\?'}\ndoc: ${model.d_model}\n"}}, {},
     R"(configs/a.yaml:3:20: error: model.d_model must be set: write model.d_model=VALUE on the command line
    3 | model: {kind: vit, d_model: '???'}
      |                             ^ set here
configs/a.yaml:4:6: error: '${model.d_model}': model.d_model must be set
    4 | doc: ${model.d_model}
      |      ^
2 errors, nothing was run.)"},
    {"ReferencesInACircle",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ntrain: {steps: '${train.eval_every}', eval_every: '${train.steps}'}\n"}}, {},
     R"(configs/a.yaml:4:16: error: '${train.eval_every}' leads back to itself: train.eval_every -> train.steps -> train.eval_every
    4 | train: {steps: '${train.eval_every}', eval_every: '${train.steps}'}
      |                ^
configs/a.yaml:4:51: error: '${train.steps}' leads back to itself: train.steps -> train.eval_every -> train.steps
    4 | train: {steps: '${train.eval_every}', eval_every: '${train.steps}'}
      |                                                   ^
2 errors, nothing was run.)"},
    {"AReferenceToTheEnvironment",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\ndoc: ${oc.env:USER}\n"}}, {},
     R"(configs/a.yaml:4:6: error: '${oc.env:USER}' is no reference to a key; write one as in ${model.d_model}
    4 | doc: ${oc.env:USER}
      |      ^
1 error, nothing was run.)"},
    {"AGroupFileThatDoesNotExist",
     {{"configs/a.yaml", kHead + "defaults: [model: vit_smal]\n"}, {"configs/model/vit_small.yaml", "kind: vit\n"}, {"library/model/vit_big.yaml", "kind: vit\n"}}, {},
     R"(configs/a.yaml:3:19: error: there is no model/vit_smal.yaml; did you mean 'vit_small'?
    3 | defaults: [model: vit_smal]
      |                   ^
  there are: vit_big, vit_small
  looked in configs/model, library/model
1 error, nothing was run.)"},
    {"AGroupOptionThatDoesNotExist",
     {{"configs/a.yaml", kHead + "defaults: [model: vit_small]\n"}, {"configs/model/vit_small.yaml", "kind: vit\n"}}, {"model=vit_larg"},
     R"(command line: error: there is no model/vit_larg.yaml
  there are: vit_small
  looked in configs/model, library/model
1 error, nothing was run.)"},
    {"AGroupFileWithAnError",
     {{"configs/a.yaml", kHead + "defaults: [model: m]\ntrain: {steps: x}\n"}, {"configs/model/m.yaml", "kind: vit\nd_modl: 3\n"}}, {"optim.lr=x"},
     R"(configs/a.yaml:4:9: error: train.steps=x is no integer
    4 | train: {steps: x}
      |                ^ set here
configs/model/m.yaml:2:1: error: unknown key 'model.d_modl'; did you mean 'model.d_model'?  (int, 1..4096, default 64)
    2 | d_modl: 3
      | ^ not a key
command line: error: optim.lr=x is no number
3 errors, nothing was run.)"},
    {"AGroupFileWithDefaults",
     {{"configs/a.yaml", kHead + "defaults: [model: m]\n"}, {"configs/model/m.yaml", "defaults: [optim: adamw]\nkind: vit\n"}}, {},
     R"(configs/model/m.yaml:1:1: error: a group file has no defaults of its own; name both groups in the study's file
    1 | defaults: [optim: adamw]
      | ^
1 error, nothing was run.)"},
    {"DefaultsThatAreNoList",
     {{"configs/a.yaml", kHead + "defaults: {model: vit_small}\n"}}, {},
     R"(configs/a.yaml:3:11: error: defaults is a list, as in [model: vit_small, _self_]
    3 | defaults: {model: vit_small}
      |           ^
1 error, nothing was run.)"},
    {"DefaultsThatMeanNothing",
     {{"configs/a.yaml", kHead + "defaults: [adamw, _self_, _self_, model: ../x]\n"}}, {},
     R"(configs/a.yaml:3:12: error: 'adamw' in defaults is neither GROUP: NAME nor _self_
    3 | defaults: [adamw, _self_, _self_, model: ../x]
      |            ^
configs/a.yaml:3:27: error: _self_ stands twice in defaults
    3 | defaults: [adamw, _self_, _self_, model: ../x]
      |                           ^
configs/a.yaml:3:35: error: 'model: ../x' names no group file; names are letters, digits, _ - and /
    3 | defaults: [adamw, _self_, _self_, model: ../x]
      |                                   ^
3 errors, nothing was run.)"},
    {"TokensThatAreNoOverrides",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\n"}}, {"train.steps", "+train.steps=3", "~train", "train.steps=", "a..b=1", "=3"},
     R"(command line: error: 'train.steps' is no key=value; write train.steps=VALUE
command line: error: '+train.steps=3': + and ~ are not read, since every key is known; write train.steps=3
command line: error: '~train': + and ~ are not read, since every key is known; write train=VALUE
command line: error: train.steps= has no value; write train.steps=null for none, or train.steps='""' for an empty text
command line: error: 'a..b' is no key; keys are words with dots between them, as in model.d_model=64
command line: error: '' is no key; keys are words with dots between them, as in model.d_model=64
6 errors, nothing was run.)"},
    {"OverridesThatAreNoYaml",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\n"}}, {"optim.betas=[0.9, 1", "model={d_model: ${model.patch}}", "doc=\"open"},
     R"(command line: error: optim.betas=[0.9, 1: this is no YAML (end of sequence flow not found): a comma is missing, or a bracket is not closed
command line: error: model={d_model: ${model.patch}}: ${…} inside [ ] or { } must be quoted, as in {d_ff: '${model.d_model}'}: its braces belong to YAML there
command line: error: doc="open: this is no YAML (illegal EOF in scalar): a quote is not closed
3 errors, nothing was run.)"},
    {"AnOverrideBelowAValue",
     {{"configs/a.yaml", kHead + "model: {kind: vit}\n"}}, {"model.patch.size=3"},
     R"(command line: error: unknown key 'model.patch.size'; model.patch is a value (int, 1..64, default 16)
1 error, nothing was run.)"},
    {"ANewerSchema",
     {{"configs/a.yaml", "schema: attune/experiment@2\nname: t\nmodel: {kind: vit}\n"}}, {},
     R"(configs/a.yaml:1:1: error: schema=attune/experiment@2 was written for a newer attune; this attune reads attune/experiment@1
    1 | schema: attune/experiment@2
      |         ^ set here
1 error, nothing was run.)"},
    {"ASweep",
     {{"configs/a.yaml", "schema: attune/sweep@1\nname: t\nmodel: {kind: vit}\n"}}, {},
     R"(configs/a.yaml:1:1: error: schema=attune/sweep@1 is no experiment; this attune reads attune/experiment@1 only
    1 | schema: attune/sweep@1
      |         ^ set here
1 error, nothing was run.)"},
    {"AnUnknownSchema",
     {{"configs/a.yaml", "schema: attune/expriment@1\nname: t\nmodel: {kind: vit}\n"}}, {},
     R"(configs/a.yaml:1:1: error: schema=attune/expriment@1 is unknown; this attune reads attune/experiment@1
    1 | schema: attune/expriment@1
      |         ^ set here
1 error, nothing was run.)"},
    {"NoSchema",
     {{"configs/a.yaml", "name: t\nmodel: {kind: vit}\n"}}, {},
     R"(configs/a.yaml: error: schema must be set: schema: attune/experiment@1
1 error, nothing was run.)"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(Config, BadValues, testing::ValuesIn(kCases),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace attune::example
