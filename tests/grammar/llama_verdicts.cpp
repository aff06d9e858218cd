// llama_verdicts.cpp: what llama.cpp's grammars say of texts. Built by make_vectors.py against llama.cpp's source and
// library. Standard input: lines "g <grammar>", in hexadecimal digits, and then "t <text>", as code points in decimal, for
// each of its texts. Standard output: "fault" for a grammar that is refused, else "fine"; then for each text "whole",
// "begun" or "refused".
#include "llama-grammar.h"

#include <iostream>
#include <sstream>
#include <string>

static std::string from_hex(const std::string & line)
{
    std::string out;
    for (size_t i = 2; i + 1 < line.size(); i += 2) out += (char) std::stoi(line.substr(i, 2), nullptr, 16);
    return out;
}

static const char * verdict(const std::string & grammar, const std::string & line)
{
    llama_grammar * g = llama_grammar_init_impl(nullptr, grammar.c_str(), "root", false, nullptr, 0, nullptr, 0);
    const char * word = "refused";
    std::istringstream codes(line.substr(1));
    const auto & stacks = llama_grammar_get_stacks(g);
    bool alive = true;
    for (uint32_t code; alive && codes >> code;) {
        llama_grammar_accept(g, code);
        alive = !stacks.empty();
    }
    if (alive) {
        word = "begun";
        for (const auto & stack : stacks)
            if (stack.empty()) word = "whole";
    }
    llama_grammar_free_impl(g);
    return word;
}

int main()
{
    std::string line, grammar;
    bool fine = false;
    while (std::getline(std::cin, line)) {
        if (line[0] == 'g') {
            grammar = from_hex(line);
            llama_grammar * g = nullptr;
            try {
                g = llama_grammar_init_impl(nullptr, grammar.c_str(), "root", false, nullptr, 0, nullptr, 0);
            } catch (const std::exception &) {
            }
            fine = g != nullptr;
            if (g) llama_grammar_free_impl(g);
            std::cout << (fine ? "fine" : "fault") << std::endl;
        } else {
            std::cout << (fine ? verdict(grammar, line) : "none") << std::endl;
        }
    }
}
