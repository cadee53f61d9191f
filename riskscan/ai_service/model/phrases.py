# ruff: noqa: E501
"""The phrase patterns: expressions that say something of a sentence, each a feature of its own."""

import re
from collections.abc import Callable, Iterable, Iterator

PHRASES = {
    # denial and absence of harm
    "denial": r"\bno (?:further |major |serious |significant |new |known |open |adverse )*(?:delays?|impacts?|effects?|risks?|issues?|problems?|complaints?|defects?|incidents?|concerns?|accidents?|injur\w+|objections?|remarks?|changes?|errors?|faults?|damage|losses|claims?|disputes?|findings?|deviations?|surprises?|overruns?|failures?|vulnerabilit\w+|downtime|outages?|penalt\w+)\b",
    "denial2": r"\b(?:nobody|no one|none|nothing|neither) (?:was|were|of|in|has been|is) (?:the )?\w+ ?(?:hurt|injured|harmed|damaged|lost|wrong|missing|affected|late|over)",
    "not_expected": r"\b(?:not|n't) (?:expected|anticipated|foreseen|affect\w*|at risk|a (?:problem|risk|concern)|needed|necessary|required|an issue)\b",
    "notyet": r"\b(?:not|n't|never|nor) (?:yet |been |be |so far )*(?:\w+ed|been|done|made|given|sent|paid|found|begun|written|seen|set|met|shown|come|taken|drawn|put|built|known|chosen|held|begun)\b|\byet to be\b|\bhas yet\b|\bhave yet\b",
    "absent": r"\b(?:no|without|lacks?|lack of|absence of|missing|nobody|no one|none|nothing)\b(?: \w+){0,3} (?:backup|plan|contingency|budget|owner|agreement|contract|insurance|cover|training|staff|money|funds?|funding|alternative|replacement|substitute|successor|evidence|proof|records?|documentation|procedure|policy|test\w*|review|approval|permit|licen[cs]e|certificate|support|spare\w*|reserve|slack|time|copy|copies|exit|remedy|clause|provision|warranty|guarantee|control|access|capacity|decision|answer|reply|commitment|consent|stand-?by|deputy|date|room|margin|left)\b",
    "nothing_left": r"\b(?:no|nothing|little|not enough|none|hardly any)\b.{0,30}\bleft\b|\bused up\b|\brun(?:s|ning)? out\b|\bran out\b|\bexhausted\b|\bspent already\b|\balready spent\b",
    "nobody": r"\b(?:nobody|no one|no-one)\b",
    "nobody_harm": r"\b(?:nobody|no one|no-one) (?:was|has been|is|were) (?:hurt|injured|harmed|ill|absent|affected|missing|late)",
    "there_is_no": r"\bthere(?:'s| is| are|'re| was| were) (?:currently |still |as yet |at present )?(?:no|not|nothing|nobody|only|just|little|too)\b",
    "has_no": r"\b(?:has|have|had|with|got) (?:\w+ )?(?:no|neither|nothing|little|too few|too little|not enough)\b",
    "not_been": r"\b(?:has|have)(?: not|n't| never| yet to)\b",
    "does_not": r"\b(?:do|does|did|is|are|can|will|would|could|was|were)(?: not|n't)\b|\bcannot\b",
    # threats, doubts, dependence
    "may_harm": r"\b(?:may|might|could|can|would|will|likely to|threatens? to|tends? to|risks?) (?:not |well |also |still |be |become |get |have to be |then |lead to |result in |cause )*(?:\w+ly )?(?:lose|lost|fail|delay\w*|slip|break|miss\w*|exceed|overrun|collapse|stop\w*|close\w*|withdraw\w*|refuse\w*|reject\w*|cancel\w*|leave|quit|resign|damage\w*|disrupt\w*|harm\w*|hurt|increase\w*|rise|double|drop|fall|suffer|expire|lapse|revoke\w*|suspend\w*|block\w*|flood\w*|leak\w*|crash\w*|corrupt\w*|late|unavailable|short|insufficient|void|invalid|expensive|dearer|worse|slower|unable|oppose\w*|object\w*|complain\w*|sue|claim\w*|abandon\w*|postpone\w*|jeopardi[sz]e\w*|threaten\w*|compromise\w*|expose\w*|undermine\w*|challenge\w*)\b",
    "if_then": r"\b(?:if|unless|should|in case|once|where)\b.{3,120}\b(?:will|would|may|might|could|can|must|shall|lose|cannot|can't|won't|is|are|fails?|stops?)\b",
    "if_start": r"^(?:if|unless|should|in the event|in case|where|failing)\b",
    "failure_to": r"\bfailure (?:to|by|of)\b|\bfails? to\b|\bfailing (?:to|which)\b|\bunable to\b|\binability\b",
    "depends": r"\b(?:depends?|depending|dependent|relies|rely|hinges?|rests?|conditional|contingent|reliant|counts?|banks?) (?:up)?on\b",
    "assumes": r"\bassum(?:es?|ing|ption|ptions|ed)\b|\bpresuppos\w+|\bprovided that\b|\bonly (?:if|when|once|after|as long as)\b|\bholds? only\b|\btak(?:es|en) for granted\b|\bhop(?:e|es|ing) (?:that|to|for)\b",
    "unclear": r"\b(?:unclear|not clear|unknown|not known|uncertain|unsure|undecided|undetermined|unconfirmed|open question|not sure|don't know|do not know|nobody knows|no one knows|doubt\w*|remains to be seen|to be (?:confirmed|determined|decided|agreed)|tbc|tbd)\b",
    "whether": r"\bwhether\b",
    "at_risk": r"\b(?:at risk|in jeopardy|in danger|under threat|under pressure|threaten\w*|jeopardi[sz]\w+|endanger\w*|at stake|critical|worr\w+|concern(?:s|ed)?|fear\w*|afraid)\b",
    "only_one": r"\b(?:only|just|single|sole|solely) (?:one|a single|two|person|supplier|source|\w+ (?:who|that|which|person|supplier|engineer|developer|copy|vendor))\b|\b(?:one|single|sole)[- ](?:person|man|woman|supplier|source|point|developer|engineer|vendor|customer)\b|\bonly \w+ (?:knows?|can|has|understands?)\b|\bin the hands of\b|\bin (?:his|her|one person's) head\b|\bno one else\b|\bnobody else\b",
    "n_of_m": r"\b(?:\w+|\d+) (?:out )?of (?:the |our |its |all )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty)\b",
    "half_of": r"\b(?:half|third|quarter|most|majority|many|several|some|\d+ ?%|per ?cent) of\b",
    "behind": r"\b(?:behind (?:plan|schedule|target|time)?|over budget|over-?run\w*|overspen\w+|too (?:late|short|slow|small|few|little|narrow|thin|weak|old|heavy|many|much|high|low|expensive|tight|optimistic)|below (?:the )?(?:minimum|target|plan|limit|required|standard|budget)|above (?:the )?(?:limit|budget|plan|target|maximum|estimate|allowance)|short of|less than (?:planned|required|needed|promised)|fewer than|not enough|more than (?:planned|budgeted|expected|the|we|it|allowed)|as against|instead of|against (?:a )?(?:plan|target|budget|\w+ (?:allowed|planned|budgeted)))",
    "late": r"\b(?:late|later than|delayed?|delays|overdue|slipp\w+|slips|postponed|pushed (?:back|to)|put off|held up|holding up|hold-?ups?|waiting (?:for|on)|stuck|stalled|on hold|dragg\w+|in arrears|has (?:still )?not (?:arrived|started|begun|come)|yet to (?:arrive|start|begin|sign|approve|confirm))\b",
    "earliest": r"\bat the (?:very )?(?:earliest|soonest)\b|\bnot before\b|\bno earlier than\b",
    "worsening": r"\b(?:getting|growing|becoming|gets?|grows?|becomes?|increasingly|more and more|keeps? (?:on )?\w+ing|continues? to (?:fall|rise|grow|drop|slip))\b",
    "falling": r"\b(?:falling|dropping|declining|shrinking|dwindling|rising|soaring|climbing|fallen|dropped|dropping|shrunk|doubled|tripled|gone up|gone down|went up|up by|down (?:by|to))\b",
    "opposes": r"\b(?:oppos\w+|object(?:s|ed|ing|ion|ions)? to|resist\w*|against the|reluctan\w+|refus\w+|unwilling|hostil\w+|protest\w*|boycott\w*|petition\w*|fight|angry|resent\w*|distrust|mistrust|sceptic\w*|skeptic\w*|disagree\w*|quarrel\w*|unhappy|upset|complain\w*)\b",
    "un_ed": r"\bun(?!ited|ion|ique|iver|der|til|less|changed|affected|damaged|harmed|interrupted|it|like)\w+(?:ed|en|id)\b",
    "ends_soon": r"\b(?:expires?|expired|expiring|runs? out|ends?|ending|lapses?|reach(?:es)? end of life|end[- ]of[- ]life|end of support|discontinu\w+|switch(?:ed)? off|phased? out|no longer (?:supported|maintained|made|valid|available|produced))\b",
    "no_longer": r"\bno longer\b",
    "resigned": r"\b(?:resign\w*|leav(?:es?|ing) (?:in|at|us|the|for)|has left|retir\w+|quit\w*|on (?:sick|maternity|parental) leave|vacan\w+|unfilled|long-term sick|handed in|gave notice|left the)\b",
    "never_tested": r"\b(?:never|not|n't|nobody has|no one has) (?:yet |ever |been )*(?:test\w*|tried|check\w*|verif\w*|rehears\w*|review\w*|audit\w*|inspect\w*|measur\w*|exercis\w*|practis\w*|validat\w*)\b|\buntested\b",
    "despite": r"\b(?:although|though|despite|in spite of|contrary to|in breach of|against the (?:rules?|law|bye-?laws?|policy|terms|standard|code))\b",
    "without_x": r"\bwithout (?:a |an |any |the |his |her |their |its |our |prior |valid |proper )*(?!trouble|incident|problem|delay|difficult|issue|interruption|remark|comment|hitch|limitation|charge)\w+",
    "without_trouble": r"\bwithout (?:any |a |further )?(?:trouble|incident|problems?|delay|difficult\w+|issues?|interruption|remarks?|comments?|hitch|accident|fault|error|complaint)\b",
    "exceeds": r"\b(?:exceed(?:s|ed|ing)?|surpass\w*|outstrip\w*|outpac\w*|more than)\b",
    "cost_more": r"\bcosts? (?:more|\d+|twice|extra|us)\b|\bdearer\b|\bpric(?:e|es|ing) (?:rise|rises|increase|escalation|hike|could|may|might|will|have|has|is|are)\b|\bextra costs?\b|\badditional costs?\b",
    # contract exposure
    "liable": r"\b(?:not (?:be )?(?:liable|responsible)|no (?:liability|responsibility|warranty|warranties|obligation)|accepts? no|assumes? no|excludes? (?:all |any )?(?:liability|warrant\w+)|liab(?:le|ility) (?:is|shall be|for|of|to|in)|unlimited|uncapped|without limit\w*|hold(?:s)? harmless|indemnif\w+|as[- ]is|disclaim\w*|in no event|to the fullest extent|at (?:its|his|her|their|the \w+'s) own (?:risk|cost|expense))\b",
    "discretion": r"\b(?:sole|absolute|own|unfettered|entire) discretion\b|\bat any time\b|\bfor any (?:or no )?reason\b|\bwithout (?:prior |further |giving |any )*(?:notice|cause|reasons?|consent|compensation|telling|informing|asking|refund|liability)\b|\bas it sees fit\b|\bunilateral\w*\b|\bfor convenience\b",
    "party_may": r"\b[A-Z]\w+ (?:may|reserves? the right to|is entitled to|has the right to|shall be entitled to|can) (?:not |also |immediately |at any time |,)*\w+",
    "may_bad_act": r"\b(?:may|reserves? the right to|entitled to|right to) (?:\w+ly )?(?:terminate|cancel|suspend|change|amend|vary|alter|modify|increase|raise|adjust|withhold|deduct|assign|transfer|disclose|reject|refuse|retain|set off|recoup|recover|revoke|withdraw|charge|impose|publish|use|share|inspect|enter|evict|sell|erase|delete|move|replace|discontinue|close|claim|demand|call in|require|keep|reduce|renegotiate)\b",
    "may_not": r"\b(?:may not|shall not|must not|is not (?:allowed|permitted|entitled)|prohibit\w*|forbid\w*|forbidden|not entitled|barred|restrain\w*|refrain)\b",
    "penalty": r"\b(?:penalt(?:y|ies)|liquidated damages|interest (?:of|at|on)|late (?:fee|charge|payment)|surcharge|forfeit\w*|non-?refundable|not (?:be )?(?:refunded|refundable|returned|repaid)|no refunds?|per (?:day|week|month) of delay|clawback|claw back|repay|pay (?:back|regardless|in full even)|default interest|early (?:exit|repayment|termination) (?:fee|charge))\b",
    "renewal": r"\b(?:automatic(?:ally)? (?:renew\w*|extend\w*|prolong\w*|roll\w*)|renew(?:s|ed|al)?\b.{0,60}\bunless|(?:extend\w*|prolong\w*|roll\w* over|continues?)\b.{0,80}\b(?:unless|if (?:it is )?not))",
    "deemed": r"\b(?:deemed|shall be (?:considered|treated as)|irrevocabl\w+|perpetual\w*|in perpetuity|waiv\w+|relinquish\w*|surrender\w*|lose(?:s)? (?:the|its|all|any|his|her)|exclusive\w*|non-?compet\w*|not (?:work|engage|compete|solicit|compete with)|lock-?in|right of first refusal|royalty-free|moral rights)\b",
    "joint": r"\b(?:jointly and severally|personal guarantee|personally liable|cross-default|accelerat\w+|immediately (?:due|payable|repayable)|become(?:s)? (?:due|payable))\b",
    "regardless": r"\b(?:regardless|irrespective|whether or not|even if|notwithstanding|in any (?:case|event)|without deduction)\b",
    "silent": r"\b(?:silent on|does not (?:say|state|define|mention|specify|provide|cover|address|include|set out)|doesn't (?:say|state|define|mention|specify|cover|include)|not (?:defined|specified|covered|included|mentioned|stated|part of)|contradict\w*|ambigu\w+|inconsistent with|open to interpretation)\b",
    "unsigned": r"\b(?:unsigned|not (?:yet )?(?:been )?(?:signed|countersigned|executed)|without signing|expired (?:contract|agreement|lease)|no (?:written )?(?:contract|agreement)|verbal\w*|handshake|letter of intent)\b",
    "lawsuit": r"\b(?:sue[sd]?|suing|lawsuit|court|litigation|injunction|legal action|claim(?:s|ed)? (?:for|against|that)|arbitration|notice of (?:dispute|breach|default)|infring\w+|alleg\w+|contest(?:s|ed|ing)?|appeal)\b",
    # compliance
    "unlawful": r"\b(?:illegal\w*|unlawful\w*|against the law|violat\w+|breach(?:es|ed|ing)? (?:of )?|contraven\w+|infring\w+|non-?complian\w+|not compl(?:y|iant)|contrary to|offence|prosecut\w+|fine[sd]?\b|sanction\w*|not (?:allowed|permitted|licensed|registered|authorised|authorized|approved)|does(?:n't| not) (?:meet|comply|satisfy|conform)|fails? to (?:meet|comply))\b",
    "permit": r"\b(?:permits?|licen[cs]es?|certificates?|consents?|authorisations?|authorizations?|approvals?|accreditation|registration)\b",
    # resolved, good news, controls
    "resolved": r"\b(?:was|were|been|has been|have been|is now|are now|got|now) (?:\w+ly |all |now |since |promptly |fully )?(?:settled|resolved|closed|fixed|repaired|mended|replaced|completed|finished|obtained|approved|granted|signed|delivered|passed|confirmed|received|paid|renewed|reached|met|solved|restored|recovered|lifted|cured|corrected|removed|cleared|withdrawn|dropped|deleted|eliminated|rectified|refunded|averted|avoided|insured|sorted)\b",
    "subject_done": r"^(?:the |all |both |our |a |an )?[\w' -]{2,50} (?:was|were|has been|have been) \w+(?:ed|en|d|t|ne|un)\b",
    "done_date": r"\b(?:on|in|since|at the) (?:\d{1,2} )?(?:january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|spring|summer|autumn|winter|\d{4})\b",
    "all_ok": r"\b(?:all|every|each|both|fully|entirely) .{0,40}\b(?:obtained|paid|signed|complete\w*|approved|in place|in order|in date|passed|received|delivered|trained|certified|met|ready|done|valid|agreed|closed)\b",
    "on_track": r"\b(?:on (?:track|time|schedule|budget|target|plan)|within (?:budget|the budget|limits|tolerance|plan)|ahead of (?:schedule|plan)|as (?:planned|agreed|expected|scheduled)|in good (?:order|condition|shape)|up to date|in place|successfully|without incident|no cause for|went (?:well|smoothly))\b",
    "neither": r"\bneither\b.*\bnor\b",
    "control": r"\b(?:are|is|were|was) (?:tested|checked|reviewed|backed up|inspected|monitored|audited|serviced|trained|insured|encrypted|mirrored|calibrated|drilled|rehearsed|updated|held|kept|stored|measured|logged) (?:\w+ly|every|each|twice|once|by|in|on|for)\b|\b(?:nightly|weekly|monthly|daily|quarterly|yearly|annually|regularly)\b",
    "insured": r"\b(?:insured|covered by|guaranteed|backed by|reserve of|contingency of|buffer of|always (?:at hand|available)|automatically (?:starts?|switches|restarts?|takes)|starts? automatically|spare (?:is|are) (?:kept|held)|fail-?over|stand-?by (?:\w+ )?(?:is|starts|takes))\b",
    # boilerplate and other parts of documents
    "mgmt_talk": r"\brisks? (?:register|log|owner|level|matrix|assessment|review|management|analysis|workshop|category|categories|scale|score|appetite|rating|response|plan|committee|officer|identification|policy|process|committee)\b|\b(?:likelihood|probability|impact) (?:scale|is rated|from|×|x|and impact)\b|\blessons learn\w+|\bissue log\b|\bdifference between\b|\bthe concept of\b",
    "definition": r"[\"“”'‘][A-Z][^\"”]{1,50}[\"”'’] (?:means?|has|shall|includes?|refers?|denotes)\b|\bmeans (?:the|a|an|any|each)\b|\bhas the meaning\b|\bis defined (?:as|in)\b|\bhereinafter\b|\bstands for\b",
    "boilerplate": r"\b(?:governed by|courts? of|jurisdiction|in counterparts|entire agreement|severab\w+|headings are|for convenience only|words in the singular|notices? (?:shall|must|under|are|to)|is executed|in witness|this (?:agreement|deed|contract|lease) (?:is|may be|shall be) (?:governed|executed|made|dated|amended)|the others? stand|remaining provisions|successors and (?:permitted )?assigns)\b",
    "duty": r"\b[A-Z]\w+ (?:shall|will|must|agrees to|undertakes to) (?:\w+ly )?(?:keep|provide|deliver|pay|maintain|supply|use|perform|carry|give|make|submit|notify|inform|ensure|return|comply|prepare|appoint|cooperate|co-operate|allow|insure|repair|attend|report|issue|invoice|send|receive|support|assist|treat|observe|clean|store|register|consult)\b",
    "passive_duty": r"\b(?:shall|must) be (?:paid|made|given|sent|delivered|kept|submitted|in writing|reviewed|used|returned|agreed|provided|signed|stored|maintained|performed|carried|issued|addressed|worn|approved)\b",
    "instruction": r"^(?:set|use|run|click|open|select|install|add|create|copy|see|note that|enter|press|choose|type|call|pass|configure|enable|disable|download|restart|edit|check|make sure|ensure|refer|contact|read|follow|import|export|start|save|go to|replace|remove|clone|build|send|please)\b",
    "code": r"[a-z]_[a-z]|\w\(\)|`|\b(?:DEBUG|TODO|HTTP|JSON|YAML|stderr|stdout|null|None|True|False|localhost|pip|npm|git)\b|--\w|\bv?\d+\.\d+\.\d+\b|=\d|/\w+/\w",
    "software_err": r"\b(?:raises?|throws?|returns?|logs?|catch(?:es)?|handles?|retr(?:y|ies)|exits?|prints?|ignores?) (?:an? |the |with |all |any |non-zero )?(?:\w*error|exception|failures?|warning|status|code|exit|null|none|\d+|invalid|three|twice)\b|\berrors? (?:are|is) (?:written|logged|reported|returned|handled|shown)\b|\btests? (?:cover|check|verify)\b|\bfunction\b",
    "key_value": r"^[A-Z][\w /-]{1,30}: ",
    "pipe": r"\|",
    "heading_like": r"^(?:\d+(?:\.\d+)*\.? )?[A-Z][A-Z &/-]+$",
    "see_ref": r"\b(?:see|refer to|described in|given in|shown in|set out in|listed in|attached|annex|appendix|table \d|figure \d|section \d|clause \d|chapter \d|lesson \d|below|overleaf)\b",
    "people_met": r"\b(?:meets?|met|meeting|attended|present|chair\w*|minutes|agenda|thanked|welcomed|reported that|presented|discussed|approved|noted)\b",
    "optional_good": r"\b(?:may|can|could) (?:also |even |later |still |be |add |publish |choose |request |ask |apply |use |cancel )+\w*",
    "weather_ok": r"\b(?:weather permitting|if (?:it is|the weather is) (?:sunny|fine|dry)|if (?:all|everything) (?:goes|is)|if (?:the )?tests? (?:pass|are))\b",
    "question": r"\?$",
    "we_may_good": r"\b(?:we|the team|they|members|users|guests|visitors|participants|students|customers) (?:may|can|could) \w+",
    "red_flag": r"^(?:red|amber|blocked|blocker|behind plan|risk|issue|concern|problem|threat|danger|warning|critical)\b ?[:\-–]",
    "trend": r"\b(?:for the (?:second|third|fourth|fifth|past|last)|each (?:of the past|time)|(?:twice|three times|repeatedly|again) \w+|keeps? \w+ing|once more|every (?:extra|additional|further) )",
    "forgot": r"\b(?:forgot\w*|overlook\w*|ignor(?:es?|ed|ing)|neglect\w*|not (?:asked|consulted|informed|told|briefed|included|invited|counted|budgeted|foreseen|considered))\b",
    "wrong_state": r"\b(?:broken|cracked|leak(?:s|ing|ed)?|rust\w*|rotten|damaged|corroded|worn|frozen|crash(?:es|ed)?|freezes|drops?|fails?|failed|failing|stopped working|out of order|out of date|outdated|unlocked|visible to|differs?|mismatch\w*|overwrit\w*|duplicate\w*|slow(?:er|s)?|unstable|overloaded|overheats?|times? out|lost)\b",
    "scope_creep": r"\b(?:keeps? (?:changing|growing|being added)|changes? from|scope (?:creep|grow\w*|chang\w*|is|has|was)|new requirements|extra (?:wishes|features|requests)|without anybody saying|moving target)\b",
    "noun_risk": r"^(?:(?:late|delayed?|loss|lack|shortage|failure|price|cost|budget|data|schedule|risk|increase|rising|insufficient|inadequate|poor|unclear|missing|withdrawal|revocation|departure|resignation|damage|breach|dispute|litigation|unavailability|non-\w+|over\w+|under\w+|escalation|fluctuation|change|changes|delays|theft|fraud|collapse|bankruptcy|insolvency|cancellation|expiry|corruption|contamination|absence|incomplete|unexpected|limited|weak|possible|potential)\b)[^.]*$",
    "harm_of": r"\b(?:loss|lack|shortage|failure|delay|withdrawal|revocation|departure|resignation|damage|breach|theft|escalation|collapse|bankruptcy|insolvency|cancellation|corruption|contamination|absence|unavailability|misuse|leakage|interruption|disruption|outage|overrun|deterioration|erosion|rejection|refusal|expiry|non-\w+) (?:of|in|by|to|from|during|due|at|on|between)\b",
}
CASE_SENSITIVE = ("party_may", "duty", "heading_like", "code", "definition", "key_value")
# the name of a phrase, the function that finds it, and whether it is to get the text in lower case
Phrase = tuple[str, Callable[[str], re.Match[str] | None], bool]


def _compile(name: str, pattern: str) -> Phrase:
    # lower case takes half the time of re.I
    compiled = re.compile(pattern)
    # search() would try a pattern of the start at every position
    search = compiled.match if pattern.startswith("^") else compiled.search
    return name, search, name not in CASE_SENSITIVE


def find_phrases(text: str, phrases: Iterable[Phrase]) -> Iterator[tuple[str, re.Match[str]]]:
    """Find phrases in a text; the matches have the places of the text."""
    lower = text.replace("İ", "I").lower()  # the only letter whose lower case is longer
    for name, search, is_lower in phrases:
        if match := search(lower if is_lower else text):
            yield name, match


PHRASE_PATTERNS = [_compile(name, pattern) for name, pattern in PHRASES.items()]
# without an anchor or a negative lookahead: they match no part of a sentence unless they match the sentence
CONTEXT_FREE_PHRASES = frozenset(
    name for name, pattern in PHRASES.items() if not re.search(r"(?<!\[)\^|\$|\(\?!", pattern)
)
