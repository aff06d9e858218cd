" Vim syntax of Weft's graph texts (docs/graph-text.md). Copy it to ~/.vim/syntax/weft.vim, and write into
" ~/.vim/ftdetect/weft.vim:
"   autocmd BufRead,BufNewFile *.weft setfiletype weft
" `:make` then leads to a fault of the text, of which MODEL is a folder or a config.json that it is for, after
"   set makeprg=weft\ graph\ MODEL\ --graph\ %\ --format\ flat\ --output\ /dev/null errorformat=weft:\ %f:%l:%c:\ %m
if exists('b:current_syntax')
  finish
endif

syntax match   weftComment   /#.*/ contains=@Spell
syntax match   weftHead      /^\s*weft-graph\s\+\d\+/
syntax match   weftStatement /^\s*\%(model\|files\|param\|require\|let\|extent\|output\|scope\|repeat\|if\|block\|return\|fail\)\>/
syntax match   weftWord      /\<else\>/
syntax match   weftStatement /\%(}\s*\)\@<=else\%(\s\+if\)\?\>/
syntax keyword weftWord      in from as data node
syntax keyword weftOperator  and or not
syntax keyword weftConstant  true false none
syntax match   weftType      /\<\%(int\|float\|bool\|text\|dtype\|act\)\>/
syntax match   weftType      /\<\%(any\|bf16\|mxfp4\|nvfp4\|[fi]\d\+\|[it]\?q\d\+_\w\+\)\>/
syntax match   weftNumber    /\<\%(0x\x\+\|\d\+\%(\.\d\+\)\?\%([eE][-+]\?\d\+\)\?\)\>/
syntax match   weftFunction  /\<\h\w*\ze(/
syntax match   weftOp        /\%(^\s*%[^="{]*=\s*\)\@<=\h\w*/
syntax match   weftValue     /%[A-Za-z0-9_.]\+/
syntax match   weftOperator  /==\|!=\|<=\|>=\|[<>?]/
syntax match   weftEscape    /\\["\\{]/ contained
syntax region  weftHole      matchgroup=weftBrace start=/{/ end=/}/ contained oneline contains=@weftExpression
syntax region  weftString    start=/"/ skip=/\\./ end=/"/ oneline contains=weftEscape,weftHole,@Spell
syntax cluster weftExpression contains=weftString,weftNumber,weftFunction,weftOperator,weftWord,weftConstant

highlight default link weftComment   Comment
highlight default link weftHead      PreProc
highlight default link weftStatement Statement
highlight default link weftWord      Keyword
highlight default link weftOperator  Operator
highlight default link weftConstant  Constant
highlight default link weftType      Type
highlight default link weftNumber    Number
highlight default link weftFunction  Function
highlight default link weftOp        Function
highlight default link weftValue     Identifier
highlight default link weftEscape    SpecialChar
highlight default link weftBrace     Special
highlight default link weftString    String

let b:current_syntax = 'weft'
