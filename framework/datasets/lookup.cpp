#include "datasets/lookup.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/random.h"
#include "tensor/arena.h"

namespace attune {
namespace {

enum Book : std::uint32_t { keys_book, values_book, questions_book };

// Codes of one thing, a random vector of norm 1 each.
class Codes {
 public:
  Codes() = default;
  Codes(const Stream& stream, Book book, Index n, Index width) : width_(width) {
    codes_.reserve(static_cast<std::size_t>(n * width));
    for (Index c = 0; c < n; ++c) {
      std::vector<double> code;
      double squares = 0;
      for (Index k = 0; k < width; ++k) {
        code.push_back(kernels::normal(stream, static_cast<std::uint64_t>(k),
                                       static_cast<std::uint32_t>(c), book));
        squares += code.back() * code.back();
      }
      for (const double x : code) codes_.push_back(static_cast<float>(x / std::sqrt(squares)));
    }
  }
  // Where the values behind the code belong.
  float* write(Index c, float* out) const {
    return std::copy_n(codes_.data() + c * width_, width_, out);
  }

 private:
  Index width_ = 0;
  std::vector<float> codes_;
};

Stream stream_of(const LookupOptions& o, const DataContext& context, const char* name) {
  return {static_cast<std::uint64_t>(o.seed.value_or(context.seed)), "data", name};
}

class Lookup final : public Generated {
 public:
  Lookup(LookupOptions o, const DataContext& context)
      : Generated("lookup", o, context,
                  {.kind = RowSpec::Kind::vectors,
                   .width = o.item_width,
                   .queries =
                       RowSpec::Queries{.kind = RowSpec::Kind::vectors, .width = o.question_width}},
                  numbered(o.n_values)),
        options_(std::move(o)),
        noise_(stream_of(options_, context, "lookup.noise")) {
    const Stream codes = stream_of(options_, context, "lookup.codes");
    const Index key_width = options_.item_width / 2;
    keys_ = Codes(codes, keys_book, options_.n_items, key_width);
    values_ = Codes(codes, values_book, options_.n_values, options_.item_width - key_width);
    questions_ = Codes(codes, questions_book, options_.n_items, options_.question_width);
    fixed_.resize(static_cast<std::size_t>(options_.n_items));
    Draws(stream_of(options_, context, "lookup.fixed"), {}, 0)
        .choose(options_.n_questions, {fixed_.data(), {options_.n_items}});
  }

  Index n_rows(Split, Index) const override { return options_.n_items; }
  Index n_queries(Split, Index) const override { return options_.n_questions; }

  void write(Split split, Index i, const ExampleRows& out) const override {
    Draws draw = draws(split, i);
    Scratch scratch;
    const Index n = options_.n_items;
    const auto key = scratch.view<Index>({n}), asked = scratch.view<Index>({n});
    const auto value_of = scratch.view<Index>({n});  // by key
    if (options_.map == LookupOptions::Map::redrawn) {
      draw.choose(n, key);
      draw.choose(options_.n_questions, asked);
    } else {
      std::iota(key.begin(), key.end(), Index{0});
      std::copy(fixed_.begin(), fixed_.end(), asked.begin());
    }
    for (const Index k : key) value_of[k] = draw.below(options_.n_values);

    if (float* at = out.values)
      for (const Index k : key) at = values_.write(value_of[k], keys_.write(k, at));
    const std::span<const Index> questions(asked.data(),
                                           static_cast<std::size_t>(options_.n_questions));
    if (float* at = out.query_values)
      for (const Index k : questions) at = questions_.write(k, at);
    if (std::int32_t* at = out.targets)
      for (const Index k : questions) *at++ = static_cast<std::int32_t>(value_of[k]);
    add_noise(split, i, out.values, 0, n, options_.item_width);
    add_noise(split, i, out.query_values, n * options_.item_width, options_.n_questions,
              options_.question_width);
  }

 private:
  // To x [rows, width], from an element of the stream on.
  void add_noise(Split split, Index i, float* x, Index element, Index rows, Index width) const {
    if (!x || options_.noise == 0) return;
    const double deviation = options_.noise / std::sqrt(static_cast<double>(width));
    for (Index k = 0; k < rows * width; ++k)
      x[k] += static_cast<float>(deviation *
                                 kernels::normal(noise_, static_cast<std::uint64_t>(element + k),
                                                 static_cast<std::uint32_t>(i),
                                                 static_cast<std::uint32_t>(split)));
  }

  LookupOptions options_;
  Stream noise_;
  Codes keys_, values_, questions_;
  std::vector<Index> fixed_;  // the first n_questions are asked for, where the map is fixed
};

}  // namespace

void LookupOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("n_items", n_items, {1, 1 << 16}, Role::result, "items an example, a key each");
  f.integer("item_width", item_width, {2, 1 << 16}, Role::result,
            "values an item: the code of its key, then that of its value");
  f.integer("n_questions", n_questions, {1, 1 << 16}, Role::result, "keys that are asked for");
  f.integer("question_width", question_width, {1, 1 << 16}, Role::result,
            "values a question, the code of a key");
  f.integer("n_values", n_values, {2, 4096}, Role::result, "values there are: the classes");
  f.choice("map", map, {{"redrawn", Map::redrawn}, {"fixed", Map::fixed}}, Role::result,
           "whether keys lie and are asked for in another order in every example");
  f.real("noise", noise, {0, 1e3}, Role::result,
         "root mean square norm of the noise on each row and question; codes have norm 1");
  f.rule([this]() -> std::optional<Complaint> {
    if (n_questions <= n_items) return std::nullopt;
    return Complaint{"n_questions",
                     fmt::format("n_questions={} distinct keys cannot be asked for, of n_items={}",
                                 n_questions, n_items),
                     fmt::format("at most {}", n_items),
                     {"n_items"}};
  });
}

std::unique_ptr<Dataset> LookupOptions::open(const DataContext& context) const {
  return std::make_unique<Lookup>(*this, context);
}

}  // namespace attune
