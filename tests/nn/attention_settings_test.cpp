// Every attention that settings can make: built from the words of a config, differentiated; or
// refused with a sentence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/attention/parts.h"
#include "nn/block.h"
#include "tests/nn/layer_bench.h"

namespace attune {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using Array = testing::Array<double>;
using Settings = std::vector<std::pair<std::string, std::string>>;

const FieldList& fields_of(const std::vector<FieldVariant::Alternative>& alternatives,
                           const std::string& kind) {
  for (const auto& a : alternatives)
    if (a.kind == kind) return *a.fields;
  throw std::runtime_error("no kind " + kind);
}

std::vector<std::string> keys_of(const std::string& kind) {
  AttentionSpec spec;
  const auto alternatives = spec.alternatives();
  std::vector<std::string> names;
  for (const auto& entry : fields_of(alternatives, kind).entries())
    names.push_back(std::visit([](const auto& e) { return e.name; }, entry));
  return names;
}

// Sets keys by the words that a config has; gives what is wrong, or nothing.
std::string set(AttentionSpec& spec, const Settings& settings) {
  const auto alternatives = spec.alternatives();
  const FieldList& list = fields_of(alternatives, spec.kind);
  for (const auto& [key, word] : settings) {
    for (const auto& entry : list.entries()) {
      const Field* const field = std::get_if<Field>(&entry);
      if (field == nullptr || field->name != key) continue;
      const std::string problem = field->type == FieldType::integer
                                      ? field->set(Index{std::stoi(word)})
                                  : field->set_literal ? field->set_literal({{word}, false})
                                                       : field->set(FieldValue(word));
      if (!problem.empty()) return key + "=" + word + " " + problem;
    }
  }
  for (const auto& rule : list.rules())
    if (const auto complaint = rule()) return complaint->message;
  return {};
}

// Two examples of a grid each, six and four rows.
LayerBench<double> small_bench() { return LayerBench<double>({0, 6, 10}, {2, 3, 2, 2}); }

TEST(AttentionSettings, EveryCellOfTheTableIsDifferentiated) {
  int cells = 0;
  for (const auto& score : kernels::score_words)
    for (const char* bias : {"none", "alibi", "alibi_2d", "relative"})
      for (const char* pattern : {"full", "causal", "window", "dilated", "block"})
        for (const auto& select : kernels::select_words)
          for (const auto& normaliser : kernels::normaliser_words) {
            AttentionSpec spec;
            const Settings settings{{"score", std::string(score.word)},
                                    {"bias", bias},
                                    {"pattern", pattern},
                                    {"select", std::string(select.word)},
                                    {"normaliser", std::string(normaliser.word)},
                                    {"window", "2"},
                                    {"block", "4"},
                                    {"k", "3"},
                                    {"max_distance", "3"},
                                    {"gain", "3"}};
            std::string name;
            for (const auto& [key, word] : settings) name += key + "=" + word + " ";
            SCOPED_TRACE(name);
            ASSERT_EQ(set(spec, settings), "");
            spec.dropout = 0.2;
            LayerBench<double> bench = small_bench();
            const auto layer =
                bench.build([&](Registry& r) { return MultiHeadAttention(r, "a", 8, 2, spec); });
            expect_gradients(bench, layer, 8);
            ++cells;
          }
  EXPECT_EQ(cells, 4 * 4 * 5 * 3 * 3);
}

TEST(AttentionSettings, EveryKindAndEveryTreatmentOfHeadsIsDifferentiated) {
  std::vector<std::pair<std::string, AttentionSpec>> specs;
  const auto with = [&](const std::string& name, auto change) {
    for (const char* kind : {"exact", "linear", "performer", "linformer"}) {
      AttentionSpec spec;
      spec.kind = kind;
      spec.k = 3;
      spec.max_length = 6;
      spec.n_features = 5;
      change(spec);
      if (!spec.head_widths.empty() && (spec.kind == "linear" || spec.kind == "performer"))
        continue;
      specs.emplace_back(std::string(kind) + ", " + name, spec);
    }
  };
  using Norm = AttentionSpec::Norm;
  using Scale = AttentionSpec::Scale::Kind;
  with("plain", [](auto&) {});
  with("causal", [](auto& s) { s.pattern = kernels::Pattern::causal; });
  with("shared keys", [](auto& s) { s.n_kv_heads = 2; });
  with("shared values", [](auto& s) { s.values = AttentionSpec::Values::shared; });
  with("rms", [](auto& s) { s.qk_norm = s.output_norm = Norm::rms; });
  with("layer, shared keys", [](auto& s) {
    s.qk_norm = s.output_norm = Norm::layer;
    s.n_kv_heads = 1;
  });
  with("a head that shouts", [](auto& s) { s.head_gain = {2, 8.0}; });
  with("widths", [](auto& s) { s.head_widths = {1, 1, 5, 3}; });
  with("widths with a norm and a scale", [](auto& s) {
    s.head_widths = {4, 1, 5, 5};
    s.qk_norm = s.output_norm = Norm::rms;
    s.scale.kind = Scale::learned;
  });
  with("widths under an additive score", [](auto& s) {
    s.head_widths = {4, 1, 5, 5};
    s.score = kernels::Score::additive;
  });
  with("widths with one scale", [](auto& s) {
    s.head_widths = {4, 1, 5, 5};
    s.scale.kind = Scale::shared;
  });
  with("a learned gain", [](auto& s) {
    s.score = kernels::Score::cosine;
    s.gain.learned = true;
  });
  EXPECT_EQ(specs.size(), 12U * 4 - 4 * 2);
  for (const auto& [name, spec] : specs) {
    SCOPED_TRACE(name);
    LayerBench<double> bench = small_bench();
    const auto layer =
        bench.build([&, &s = spec](Registry& r) { return MultiHeadAttention(r, "a", 8, 4, s); });
    expect_gradients(bench, layer, 8);
  }
}

TEST(AttentionSettings, AKindHasTheKeysThatMeanSomethingToIt) {
  EXPECT_THAT(keys_of("linear"), ::testing::ElementsAre("pattern", "n_kv_heads", "values",
                                                        "qk_norm", "output_norm", "head_gain"));
  EXPECT_THAT(keys_of("performer"), Contains("n_features"));
  EXPECT_THAT(keys_of("linformer"), Contains("max_length"));
  EXPECT_THAT(keys_of("linformer"), Not(Contains("pattern")));
  EXPECT_THAT(keys_of("exact"), Not(Contains("n_features")));
}

struct Refusal {
  Settings settings;
  std::string why;
};

TEST(AttentionSettings, WhatMakesNoSenseIsRefusedWithASentence) {
  const std::vector<Refusal> refusals{
      {{{"pattern", "window"}}, "pattern=window needs window, which is not set"},
      {{{"pattern", "dilated"}}, "pattern=dilated needs window, which is not set"},
      {{{"pattern", "block"}}, "pattern=block needs block, which is not set"},
      {{{"select", "top_k"}}, "select=top_k needs k, which is not set"},
      {{{"select", "two_stage_top_k"}}, "select=two_stage_top_k needs k, which is not set"},
      {{{"bias", "given"}}, "bias=given is none of the choices"},
      {{{"scale", "big"}}, "is neither auto, a finite number, learned nor shared"},
      {{{"gain", "auto"}}, "is neither a finite number nor learned"},
      {{{"score", "additive"}, {"scale", "learned"}}, "its w is learned and scales each head's"},
      {{{"score", "cosine"}, {"scale", "0.5"}}, "cosines are multiplied by gain"},
      {{{"score", "dot"}, {"scale", "shared"}}, "only scaled_dot divides by the width of heads"},
  };
  for (const Refusal& r : refusals) {
    AttentionSpec spec;
    EXPECT_THAT(set(spec, r.settings), HasSubstr(r.why));
  }
  AttentionSpec linformer;
  linformer.kind = "linformer";
  EXPECT_EQ(set(linformer, {}), "kind=linformer needs k, which is not set");
  EXPECT_EQ(set(linformer, {{"k", "4"}}), "kind=linformer needs max_length, which is not set");
}

TEST(AttentionSettings, HeadsThatDoNotFitTheLayerAreRefused) {
  const auto complaint = [](auto change) {
    AttentionSpec spec;
    change(spec);
    const auto found = spec.complaint(32, 4);
    return found ? found->key + ": " + found->message : std::string();
  };
  EXPECT_EQ(complaint([](auto&) {}), "");
  EXPECT_EQ(complaint([](auto& s) { s.head_widths = {4, 4, 32, 32}; }), "");
  EXPECT_THAT(
      complaint([](auto& s) {
        s.head_widths = {4, 4};
      }),
      HasSubstr(
          "attention.head_widths: attention.head_widths=[4, 4] names 2 widths for n_heads=4"));
  EXPECT_THAT(complaint([](auto& s) {
                s.head_widths = {4, 4, 4, 33};
              }),
              HasSubstr("a head of 33 columns in a stream of d_model=32"));
  EXPECT_THAT(complaint([](auto& s) {
                s.head_widths = {4, 4, 4, 8}, s.n_kv_heads = 2;
              }),
              HasSubstr("can't share keys"));
  EXPECT_THAT(complaint([](auto& s) {
                s.head_widths = {4, 4, 4, 8}, s.values = AttentionSpec::Values::shared;
              }),
              HasSubstr("can't share values"));
  EXPECT_THAT(complaint([](auto& s) { s.n_kv_heads = 3; }), HasSubstr("does not divide n_heads=4"));
  EXPECT_THAT(complaint([](auto& s) {
                s.head_gain = {4, 2.0};
              }),
              HasSubstr("head_gain.head=4 is none of the 4 heads"));
}

}  // namespace
}  // namespace attune
