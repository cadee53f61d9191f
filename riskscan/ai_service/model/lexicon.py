# ruff: noqa: E501
"""The lexicon: the tags of words, in English and Khmer.

Tags in capitals are stances (harm, negation, permission …); fin sch tec leg ope com oth stand for the
categories. BASE_FORMS are expanded to their regular inflections; EXACT_FORMS stand as they are.
"""

import re

BASE_FORMS = {
    "HARM": """
        delay loss damage failure fault defect breach default dispute penalty shortage shortfall deficit overrun outage
        accident injury crash collapse corruption leak flood fire theft fraud attack threat hazard danger disruption
        interruption bottleneck backlog complaint objection protest strike conflict lawsuit litigation claim injunction
        infringement violation offence sanction bankruptcy insolvency inflation recession decline erosion contamination
        pollution fatigue burnout illness turnover attrition resistance opposition distrust mistrust boycott criticism
        crack corrosion rust rot mould subsidence overload congestion downtime lag latency vulnerability exploit bug hang
        freeze slip lose fail break overspend overstretch jeopardise jeopardize endanger threaten undermine hamper hinder
        impede obstruct stall block disrupt interrupt worsen deteriorate degrade suffer struggle miss lapse expire
        withdraw revoke cancel suspend terminate abandon quit resign reject refuse deny oppose contest sue prosecute
        fine seize confiscate evict close_down halt stop overheat burst fall_ill misuse mislead misunderstand duplicate
        overwrite corrupt erase wipe spoil waste harm hurt kill injure scare angry strand starve drown flee sink jam
        clog choke warp swell shrink drift wear tear overflow outgrow poach infect trip stumble scrap write-off
        error mistake omission gap weakness flaw problem issue difficulty obstacle barrier setback concern worry fear
        doubt uncertainty complication trouble nuisance confusion chaos crisis emergency disaster catastrophe earthquake
        typhoon storm drought landslide epidemic pandemic outbreak unrest war embargo tariff escalation spike surge
        rumour scandal bribery corruption misconduct harassment absenteeism no-show dropout churn idle queue
        stick seep peel buckle bend snap splinter slide topple sag tilt warp blister burn scorch melt
        explode ignite electrocute poison pollute contaminate spill drip clog silt erode undercut scour seize jam
        reboot overcharge undercharge mismatch miscalculate misjudge underestimate overestimate overlook
        neglect ignore forget postpone stagnate falter dwindle crumble sour strain fray quarrel feud bicker split
        desert defect emigrate poach sabotage vandalise vandalize loot smuggle forge falsify plagiarise plagiarize
        infringe trespass encroach squat intimidate bully assault discriminate abuse exploit coerce
        blackmail extort embezzle launder evade hide conceal withhold dodge drag stall dither hesitate waver backtrack
        renege repudiate rescind annul invalidate void overrule veto ban prohibit outlaw bar exclude blacklist
        discontinue deprecate decommission retire sunset withdraw recall obsolete phase-out scrap shelve mothball
        disconnect unplug starve deprive exhaust deplete drain consume overdraw overspend bleed haemorrhage
        inquiry investigation probe allegation accusation summons subpoena lien encumbrance foreclosure eviction
        repossession liquidation receivership layoff redundancy walkout lockout stoppage standstill gridlock
        deadlock stalemate impasse hole glitch hiccup malfunction breakdown blackout brownout surge spike throttle
        timeout deadlock leakage seepage subsidence landslip sinkhole avalanche blizzard hurricane cyclone tsunami
        wildfire heatwave frost hail lightning swarm pest locust vermin rat mosquito disease infection virus malware
        ransomware phishing spyware hack hacker intruder burglar thief vandal plague cholera malaria dengue flu covid
        exodus brain-drain poverty hunger famine unrest riot coup insurgency landmine shelling sanction
        clash collide contradict diverge disagree mistrust alienate antagonise antagonize offend upset frustrate
        disappoint deter discourage demotivate dissuade lapse moult wither rot decay mould mildew infest rust corrode
        lag trail underperform underdeliver undercut undersell undercapitalise overpay overheat overcrowd overfish
        disqualify revoke suspend fine penalise penalize sanction prosecute indict convict sentence jail
        """,
    "EXPOSE": """
        indemnify indemnity forfeit forfeiture waive waiver disclaim disclaimer penalise penalize surcharge clawback
        recoup repay reimburse set-off encumber assign sublicense renew prolong acceleration recall redeem withhold
        relinquish surrender renounce liquidated
        """,
    "NEED": """
        backup contingency reserve spare insurance cover plan approval permit permission certificate licence license
        training documentation agreement contract budget funding fund money staff owner successor substitute alternative
        replacement guarantee warranty evidence record policy procedure test review check signature consent decision
        answer response commitment support supervision guidance specification requirement estimate quote date deadline
        copy mapping redundancy buffer slack float margin manual handover deputy stand-in resource time capacity
        equipment tool access account password data information source supplier strategy agreement clause provision
        remedy compensation refund protection safeguard alarm inspection maintenance assessment audit monitoring
        trace proof receipt baseline definition criterion rule process indicator survey analysis study design drawing
        map briefing drill exit fallback rollback encryption authentication logging stock inventory vehicle room space
        """,
    "BAD": """
        late slow weak poor bad worse worst old outdated obsolete unclear vague ambiguous unknown uncertain unstable
        unreliable unsafe unfair inadequate insufficient incomplete inaccurate inconsistent incorrect wrong invalid
        missing absent overdue outstanding pending tight aggressive ambitious optimistic unrealistic fragile thin scarce
        rare expensive costly dear heavy steep volatile fluctuating sceptical reluctant hostile unhappy angry dissatisfied
        tired exhausted overworked understaffed overbooked overloaded stretched short narrow steep shallow wet damp
        noisy dirty dangerous hazardous harmful toxic faulty defective broken cracked rusty leaky brittle loose buggy
        flaky incompatible unavailable unreachable unauthorised unauthorized illegal unlawful unenforceable void
        one-sided onerous uncapped unlimited punitive irreversible irrevocable perpetual difficult hard complex
        complicated impossible doubtful questionable disputed contested controversial unpopular political sensitive
        stale inexperienced untrained unqualified careless sick ill insolvent bankrupt idle redundant single-threaded
        manual ad-hoc undocumented unsupported unpatched unencrypted unprotected exposed vulnerable dependent
        sluggish patchy shaky rickety ramshackle dilapidated derelict rotten mouldy leaning sagging crooked blocked
        clogged jammed stuck stranded paralysed crippled chaotic haphazard sloppy careless negligent reckless lax
        loose lenient improvised makeshift provisional temporary interim stopgap overdue belated hasty rushed
        hurried premature frantic overstretched overcrowded overfull overbooked oversubscribed full congested
        saturated depleted empty dry arid flooded waterlogged soaked rusted corroded worn threadbare ageing aging
        antiquated archaic primitive legacy discontinued deprecated scarce insufficiently poorly badly barely hardly
        rarely seldom sporadic erratic intermittent irregular uneven unequal lopsided biased partial fragmentary
        sketchy superficial rudimentary flimsy fragile delicate precarious perilous risky unsafe slippery icy toxic
        polluted contaminated infected sick ill injured wounded traumatised demoralised demotivated frustrated weary
        disillusioned indifferent apathetic uninterested unwilling disloyal corrupt dishonest fraudulent forged fake
        counterfeit illicit unlicensed uncertified unregistered non-compliant noncompliant dubious murky opaque
        contradictory conflicting confusing confused misleading deceptive hidden undisclosed unilateral exclusive
        irretrievable indefinite open-ended unfunded underfunded uneconomic unprofitable loss-making indebted broke
        unaffordable exorbitant excessive punishing crushing staggering alarming worrying troubling dire bleak grim
        gloomy pessimistic hopeless doomed unfavourable unfavorable adverse detrimental
        """,
    "UP": "rise increase climb soar double triple grow jump escalate raise rocket surge mount swell",
    "DOWN": "fall drop decline decrease shrink fade dwindle diminish reduce lower plunge sink ebb halve lessen cut",
    "DEP": "depend rely hinge assume presuppose presume await",
    "LEAVE": "leave resign retire depart quit emigrate poach dismiss relocate",
    "MGMT": """
        register log matrix workshop appetite owner methodology framework scale scoring likelihood probability
        mitigation escalation-path assessment
        """,
    "SOFT": """
        function method parameter argument return raise throw exception class module import flag option stderr stdout
        variable config default boolean string install command run compile example script endpoint http json repository
        """,
    "BOIL": """
        govern counterpart heading notice jurisdiction herein hereof hereto hereunder thereof construe singular plural
        interpretation severable supersede preamble annex schedule appendix recital
        """,
    "fin": """
        budget cost price fee money cash fund funding finance financing loan debt credit interest_rate currency exchange
        inflation revenue income sales profit margin tax vat duty invoice payment bill salary wage rent deposit subsidy
        grant donor donation sponsor sponsorship pledge overspend overdraft expense expenditure spending dollar euro pound
        riel usd eur payback investment investor capital cashflow debtor creditor arrears premium discount quote quotation
        tariff surcharge charge rebate refund estimate contingency bank mortgage lender borrower insolvent bankrupt
        affordable afford dear expensive cheap reimburse royalty advance pay payable treasury share dividend appropriation
        liquidity forecast valuation audit-fee penalty interest recoup commission pricing billing collection
        write-off turnover purse purchase-price markup
        """,
    "sch": """
        delay deadline schedule timeline timetable late slip slippage postpone postponement behind overdue week month day
        milestone date calendar lead-time lead critical-path path float slack early earliest wait await pending duration
        finish start launch opening handover deliver delivery sequence rush hurry quarter season year fortnight spring
        summer autumn winter january february march april june july august september october november december monday
        friday easter sprint backlog hold hold-up plan push stall overrun arrive arrival mobilise mobilisation
        programme pace window queue turnaround completion extension
        """,
    "tec": """
        software system server database data migration integration interface api app application code bug crash network
        bandwidth wi-fi wifi internet connection hardware device sensor disk storage backup memory cpu performance latency
        version upgrade update patch security password encryption vulnerability hacker attacker malware virus firewall
        login url website web browser phone tablet laptop printer camera battery power voltage cable pump boiler motor
        engine valve pipe pipeline beam concrete steel foundation soil ground crack corrosion bridge roof wall structure
        load prototype test testing framework library plugin algorithm model firmware log query search upload download
        file format script parser cache cluster cloud virtual node router bandwidth technology technical legacy
        compatibility prototype calibration accuracy precision machine turbine transformer generator panel inverter weld
        bearing seal leak plate thickness groundwater drainage sewer main borehole slope_stability fault dataset pixel
        import export record_format field identifier schema signal coverage freeze scale scalability architecture refactor
        component obsolete sdk endpoint token certificate_chain
        """,
    "leg": """
        contract agreement clause term liability liable indemnify indemnity warranty terminate termination breach court
        lawsuit litigation claim dispute arbitration injunction lawyer counsel solicitor legal law title deed lease
        landlord tenant licence licensor licensee licensee intellectual property copyright patent trademark trade-mark
        ownership rights right exclusive exclusivity non-compete confidentiality waive waiver forfeit assign assignment
        sublicense renew renewal automatic notice party signatory sign signature unsigned enforceable unenforceable
        void jurisdiction remedy damages lien easement covenant shareholder guarantor discretion consent infringe
        infringement settlement tribunal plaintiff sue heir inheritance permission-to-use ambiguity open-source gpl
        supplier-terms purchaser seller buyer vendor contractor subcontractor franchise franchisee distributor territory
        agent principal employer employee artist author publisher lessee lessor insurer insured
        """,
    "ope": """
        staff team employee person people crew worker driver operator technician engineer nurse teacher trainer volunteer
        manager coordinator colleague successor deputy replacement recruit recruitment hire hiring vacancy vacant post
        training train skill knowledge experience expertise handover shift overtime workload fatigue burnout tired sick
        illness leave resign retire turnover supplier supply vendor logistics stock warehouse inventory transport
        truck lorry courier shipment shipping packaging port support helpdesk desk procedure process capacity demand
        safety accident injury evacuation emergency continuity shortage spare part maintenance equipment
        kitchen cook caretaker cleaner guard rota roster spreadsheet instruction manual outsourcing subcontractor
        bottleneck responsible responsibility nobody absent absence holiday departure key-person communication
        office queue customer-service harvest production plant
        """,
    "com": """
        regulation regulator regulatory statute law act compliance comply permit licence certificate certification audit
        auditor inspector inspection authority ministry gdpr privacy personal data-protection consent safety-standard
        standard iso policy bye-law bylaw code environmental emission waste hygiene fine sanction offence prosecution
        breach violation unlicensed unregistered registration accreditation reporting disclosure tax-return anti-bribery
        corruption-law grant-condition condition donor-rule procurement-rule receipt retention deletion retain record-keeping
        impact-assessment approval minimum-wage labour-law inspectorate licensing mandatory statutory legal-requirement
        expire expired asbestos noise medical health patient confidential eligibility whistleblower slavery sanctions
        accessibility building-control fire-safety quota customs export-control signed-off tender procurement
        """,
    "oth": """
        reputation image press media newspaper review rating public opinion politics political minister election council
        government mayor village community resident neighbour neighbor parent stakeholder partner sponsor board customer
        visitor audience market competitor competition rival demand brand weather storm rain flood typhoon drought
        earthquake landslide heat wind snow frost lightning wildlife nature bird tree river climate scope aim goal
        objective vision strategy requirement wish expectation feature-creep creep unclear priority interest support
        opposition protest trust distrust resistance buy-in enthusiasm acceptance culture rumour scandal campaign
        petition union crowd tourism tourist trend fashion popularity theft vandalism crime noise war
        conflict unrest pandemic epidemic festival name
        """,
}

IRREGULAR_FORMS = {
    "lose": "lost", "break": "broke broken", "fall": "fell fallen", "rise": "rose risen", "leave": "left", "withdraw": "withdrew withdrawn",
    "grow": "grew grown", "freeze": "froze frozen", "sink": "sank sunk", "pay": "paid", "overrun": "overran", "build": "built",
    "hang": "hung", "steal": "stolen stole", "throw": "threw thrown", "drive": "drove driven", "teach": "taught", "spend": "spent",
    "wear": "wore worn", "tear": "tore torn", "shrink": "shrank shrunk", "strike": "struck", "mislead": "misled", "overspend": "overspent",
}  # fmt: skip

EXACT_FORMS = {
    "NEG": """
        no not never none nobody neither nor without cannot nothing nowhere hardly barely lacks lack lacking isn't aren't
        wasn't weren't don't doesn't didn't won't can't couldn't wouldn't shouldn't hasn't haven't hadn't isnt no-one nought
        """,
    "MODAL": "may might could would possibly perhaps likely potentially probably",
    "COND": "if unless provided until should whether otherwise contingent subject assuming",
    "OBLIG": "shall must obliged obligated agrees undertakes required",
    "WILL": "will going planned scheduled intends plans due expected",
    "STILL": "still yet remains remain remaining awaiting waiting unresolved open pending outstanding unanswered again",
    "ONLY": "only just single sole solely one alone merely few half",
    "DONE": """
        settled resolved closed fixed repaired mended replaced completed complete finished obtained approved granted signed
        delivered passed confirmed received paid renewed reached met solved restored recovered lifted cured
        corrected removed installed tested verified validated agreed accepted awarded achieved opened launched held
        handed hired purchased ordered booked appointed recruited trained briefed checked inspected certified withdrawn
        dropped avoided averted prevented eliminated eased overcome refunded published submitted issued deployed
        introduced established ratified adopted welcomed thanked celebrated attended presented
        """,
    "GOOD": """
        good well successful successfully smoothly ahead early improved improvement pleased happy praise praised
        thanks thank excellent healthy sound stable safe secure clean ready comfortable ample enough sufficient
        satisfied positive popular strong unchanged unaffected undamaged unharmed normal normally reliable full fully
        win won award favourable cheaper faster saved saving savings surplus exceeded-expectations valid
        """,
    "CTRL": """
        insured covered protected monitored reviewed mirrored replicated encrypted backed automatically nightly daily
        weekly monthly annually quarterly every each always trained drills alarm redundant standby reserve buffer
        """,
    "PARTY": """
        party parties supplier provider licensor licensee landlord tenant lessor lessee lender borrower client customer
        contractor subcontractor purchaser buyer seller vendor company employer employee consultant agency agent
        distributor franchisor franchisee publisher author artist host user subscriber member bank insurer insured
        owner operator carrier shipper manufacturer guarantor investor shareholder founder recipient grantee grantor
        promoter venue organiser manager label studio producer developer bidder principal trustee school hirer guest
        university institute receiver discloser council participant exhibitor sponsor
        """,
    "EXCEED": "exceeds exceed exceeded more over above beyond below under less fewer than behind short against versus too",
    "DOUBT": """
        unclear unknown uncertain unsure unconfirmed undecided unproven untested question whether doubt doubts wonder
        guess guesswork assumption assumptions untried unseen unpredictable
        """,
    "NOW": "is are has have keeps continues currently now today",
    "PAST": "was were had did",
    "CONTRAST": "but although though however despite yet while whereas except",
    "CAUSE": "because since therefore so due owing hence",
    "DEFN": "means includes refers denotes defined called describes explains lists shows contains",
    "MONEY": "million thousand usd eur gbp dollars euros pounds riel k m £ $ €",
}

# without "may", which is far more often a modal verb than a month
DATES = """
    january february march april june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    jan feb mar apr jun jul aug sep sept oct nov dec
    """

# Khmer has no spaces between words: the longest of these words that matches at a position is taken
KHMER_WORDS = {
    "NEG": "មិន ពុំ គ្មាន ឥត មិនមែន គ្មាននរណា គ្មាននរណាម្នាក់ មិនដែល មិនមាន ពុំមាន គ្មានអ្នកណា",
    "STILL": "មិនទាន់ ពុំទាន់ នៅតែ នៅមិនទាន់ កំពុងរង់ចាំ រង់ចាំ នៅឡើយ",
    "MODAL": "អាច ប្រហែល ប្រហែលជា អាចនឹង ទំនង ទំនងជា",
    "COND": "ប្រសិនបើ បើ បើសិន ក្នុងករណី លុះត្រាតែ ទាល់តែ អាស្រ័យលើ អាស្រ័យ ពឹងផ្អែក ពឹងផ្អែកលើ ពឹងលើ",
    "OBLIG": "ត្រូវ ត្រូវតែ មានកាតព្វកិច្ច",
    "ONLY": "តែម្នាក់ តែមួយ តែម្នាក់គត់ ម្នាក់ឯង មួយគត់ ត្រឹមតែ",
    "HARM": """
        យឺត យឺតយ៉ាវ ពន្យារ ពន្យារពេល ខូច ខូចខាត ខាត ខាតបង់ បាត់បង់ បាត់ បរាជ័យ បញ្ហា ហានិភ័យ គ្រោះថ្នាក់ របួស
        ជំទាស់ ប្រឆាំង តវ៉ា បណ្ដឹង បណ្តឹង ប្ដឹង ប្តឹង ជម្លោះ វិវាទ លាឈប់ លាលែង ឈប់ធ្វើការ ចាកចេញ ខ្វះ ខ្វះខាត កង្វះ កង្វះខាត
        រំលោភ រំលោភបំពាន បំពាន ល្មើស ខុសច្បាប់ ផាកពិន័យ ពិន័យ ពិន័យជាប្រាក់ លុបចោល ផ្អាក បញ្ឈប់ រារាំង រាំងស្ទះ កកស្ទះ
        លើស លើសថវិកា ធ្លាក់ចុះ ធ្លាក់ ថយចុះ ទឹកជំនន់ គ្រោះធម្មជាតិ ខ្យល់ព្យុះ ព្យុះ រញ្ជួយដី រាំងស្ងួត គ្រោះរាំងស្ងួត លេចធ្លាយ ធ្លាយ ប្រេះ បាក់
        បាក់ស្រុត រលំ ឆេះ អគ្គិភ័យ លួច ចោរកម្ម វាយប្រហារ មេរោគ គាំង រអាក់រអួល ដាច់ ដាច់ភ្លើង ដាច់អ៊ីនធឺណិត ផុតកំណត់ ហួសកំណត់
        ក្ស័យធន ជំពាក់ បំណុល អតិផរណា ឡើងថ្លៃ រអ៊ូរទាំ មិនពេញចិត្ត មន្ទិល សង្ស័យ ព្រួយបារម្ភ ភ័យខ្លាច បំផ្លាញ ប៉ះពាល់ បាត់ទិន្នន័យ
        ដកហូត រឹបអូស បដិសេធ បោះបង់ ឈឺ ហត់នឿយ អស់កម្លាំង ស្លាប់ គ្រោះមហន្តរាយ ជំងឺ កូដកម្ម បាតុកម្ម អំពើពុករលួយ ក្លែងបន្លំ
        ប្រកែក ច្រាន បោកប្រាស់ ឆ្លង បំពុល ការបំពុល កខ្វក់ ហូរច្រោះ លិច លិចទឹក រអិល
        """,
    "BAD": """
        ចាស់ ចាស់ណាស់ ទន់ខ្សោយ ខ្សោយ យឺតពេក តឹងរ៉ឹង តឹង តិច តិចពេក តិចតួច ពិបាក លំបាក ស្មុគស្មាញ មិនច្បាស់ មិនច្បាស់លាស់ មិនគ្រប់គ្រាន់
        មិនគ្រប់ មិនត្រឹមត្រូវ មិនស្ថិតស្ថេរ មិនអាច ហួសសម័យ ថ្លៃ ខ្ពស់ពេក លើសទម្ងន់ គ្មានសុវត្ថិភាព តូច តូចពេក ចង្អៀត
        ក្រោមស្តង់ដារ មិនស្របតាម ខុស មិនល្អ អន់ ឧស្សាហ៍ ញឹកញាប់ ខ្លី ខ្លីពេក
        """,
    "EXPOSE": """
        ទទួលខុសត្រូវ សំណង ទូទាត់សង ការប្រាក់ ប្រាក់កក់ ប្រគល់ជូនវិញ បង្វិលសង បញ្ចប់កិច្ចសន្យា ផ្តាច់មុខ ឯកតោភាគី ស្វ័យប្រវត្តិ
        បន្តដោយស្វ័យប្រវត្តិ ដោយមិនជូនដំណឹង ដោយមិនចាំបាច់ជូនដំណឹង តាមឆន្ទានុសិទ្ធិ រំលាយកិច្ចសន្យា នៅពេលណាក៏បាន គ្រប់ពេល
        """,
    "DONE": """
        បានបញ្ចប់ បានដោះស្រាយ បានជួសជុល ត្រូវបានដោះស្រាយ បានទទួល បានអនុម័ត បានចុះហត្ថលេខា ដោយជោគជ័យ ជោគជ័យ បានប្រគល់
        បានទូទាត់ បានបង់ រួចរាល់ រួច រួចហើយ បានសម្រេច បានផ្លាស់ប្តូរ បានដំឡើង បានពិនិត្យ បានបើក បានតែងតាំង បានបណ្តុះបណ្តាល
        """,
    "GOOD": "ល្អ ល្អប្រសើរ ធម្មតា គ្រប់គ្រាន់ ទាន់ពេល ទាន់ពេលវេលា មានសុវត្ថិភាព ពេញចិត្ត ស្របតាម ត្រឹមត្រូវ",
    "CTRL": "រៀងរាល់ ប្រចាំ រាល់ខែ រាល់ថ្ងៃ ប្រចាំខែ ប្រចាំឆ្នាំ ប្រចាំសប្តាហ៍ ធានារ៉ាប់រង ត្រួតពិនិត្យ",
    "NEED": """
        ផែនការបម្រុង បម្រុង ប្រាក់បម្រុង អាជ្ញាប័ណ្ណ លិខិតអនុញ្ញាត ការអនុញ្ញាត ច្បាប់អនុញ្ញាត វិញ្ញាបនបត្រ ការបណ្តុះបណ្តាល
        បុគ្គលិក អ្នកជំនួស អ្នកបច្ចេកទេស អ្នកជំនាញ ឯកសារ កិច្ចព្រមព្រៀង ហត្ថលេខា សេចក្តីសម្រេច ថវិកា មូលនិធិ ថតចម្លង ការវាយតម្លៃ
        ធានា ការធានា ឧបករណ៍ ទិន្នន័យបម្រុង ភ្លើងបម្រុង សវនកម្ម គោលការណ៍ នីតិវិធី
        """,
    "PARTY": "ភាគី ភាគីក ភាគីខ អ្នកលក់ អ្នកទិញ ម្ចាស់ផ្ទះ អ្នកជួល អ្នកផ្គត់ផ្គង់ អ្នកម៉ៅការ ក្រុមហ៊ុន និយោជក និយោជិត ធនាគារ អ្នកខ្ចី",
    "WILL": "នឹង គ្រោង គ្រោងទុក ត្រៀម",
    "PAST": "បាន",
    "CAUSE": "ដោយសារ ព្រោះ ដោយហេតុ",
    "CONTRAST": "ប៉ុន្តែ ទោះបី ក៏ប៉ុន្តែ",
    "UP": "កើនឡើង ឡើង កើន ហក់ឡើង",
    "EXCEED": "លើសពី ក្រោម តិចជាង ច្រើនជាង លើស ជាងគ្រោង",
    "fin": """
        ថវិកា ប្រាក់ ប្រាក់កក់ តម្លៃ ចំណាយ ចំណូល ថ្លៃ ដុល្លារ រៀល បង់ប្រាក់ ទូទាត់ វិក្កយបត្រ ហិរញ្ញវត្ថុ មូលនិធិ ម្ចាស់ជំនួយ កម្ចី បំណុល ការប្រាក់
        ពន្ធ ប្រាក់ខែ ប្រាក់ឈ្នួល ថ្លៃឈ្នួល អតិផរណា អត្រាប្តូរប្រាក់ ចំណេញ ខាតបង់ សាច់ប្រាក់ ជំនួយ មូលប្បទានបត្រ ហិរញ្ញប្បទាន ឥណទាន
        """,
    "sch": """
        យឺត យឺតយ៉ាវ កាលកំណត់ កាលវិភាគ ពេលវេលា ខែ សប្តាហ៍ ថ្ងៃ ពន្យារ ពន្យារពេល ទាន់ពេល ឆ្នាំ ថ្ងៃផុតកំណត់ ដំណាក់កាល មកដល់ រង់ចាំ
        រយៈពេល លើកពេល បន្ត ដឹកជញ្ជូន
        """,
    "tec": """
        ប្រព័ន្ធ កុំព្យូទ័រ ម៉ាស៊ីន ម៉ាស៊ីនមេ ទិន្នន័យ កម្មវិធី បណ្តាញ អ៊ីនធឺណិត សូហ្វវែរ បច្ចេកទេស គេហទំព័រ មេរោគ ពាក្យសម្ងាត់ សុវត្ថិភាពប្រព័ន្ធ
        អគ្គិសនី ស្ពាន ជញ្ជាំង ដំបូល គ្រឹះ បេតុង ឧបករណ៍ ស្នប់ បំពង់ ម៉ាស៊ីនភ្លើង ខូច គាំង រចនាសម្ព័ន្ធ ដី អណ្តូង ទូរស័ព្ទ ថ្ម អាគុយ ម៉ូទ័រ
        """,
    "leg": """
        កិច្ចសន្យា ភាគី ទំនួលខុសត្រូវ ទទួលខុសត្រូវ តុលាការ បណ្តឹង បណ្ដឹង ប្តឹង ប្ដឹង វិវាទ ជម្លោះ ប្រការ លក្ខខណ្ឌ សិទ្ធិ កម្មសិទ្ធិ កម្មសិទ្ធិបញ្ញា បញ្ចប់កិច្ចសន្យា រំលាយ
        ហត្ថលេខា ជួល ម្ចាស់ផ្ទះ អ្នកជួល ប័ណ្ណកម្មសិទ្ធិ សំណង ធានា មេធាវី ផ្តាច់មុខ រក្សាសិទ្ធិ
        """,
    "ope": """
        បុគ្គលិក កម្មករ ក្រុមការងារ អ្នកបើកបរ អ្នកបច្ចេកទេស ជាង វិស្វករ គ្រូ គ្រូបង្រៀន គិលានុបដ្ឋាក លាឈប់ លាលែង អ្នកជំនួស អ្នកផ្គត់ផ្គង់ ផ្គត់ផ្គង់ ដឹកជញ្ជូន ឃ្លាំង ស្តុក
        បណ្តុះបណ្តាល ជំនាញ បទពិសោធន៍ នីតិវិធី សុវត្ថិភាព គ្រោះថ្នាក់ការងារ គ្រឿងបន្លាស់ ថែទាំ សមត្ថភាព អ្នកគ្រប់គ្រង កង្វះបុគ្គលិក ធនធានមនុស្ស ធនធាន
        """,
    "com": """
        ច្បាប់ អាជ្ញាប័ណ្ណ អាជ្ញាធរ លិខិតអនុញ្ញាត ក្រសួង បទប្បញ្ញត្តិ អនុលោមភាព សវនកម្ម ស្តង់ដារ វិញ្ញាបនបត្រ បរិស្ថាន ហេតុប៉ះពាល់បរិស្ថាន ពិន័យ
        ផាកពិន័យ ទិន្នន័យផ្ទាល់ខ្លួន អនាម័យ ការអនុញ្ញាត អធិការ អធិការកិច្ច ចុះបញ្ជី អនុក្រឹត្យ ប្រកាស គយ ពន្ធដារ នីតិវិធីលទ្ធកម្ម ឯកជនភាព
        """,
    "oth": """
        គ្រោះធម្មជាតិ ទឹកជំនន់ ភ្លៀង ខ្យល់ព្យុះ ព្យុះ អាកាសធាតុ សហគមន៍ ប្រជាពលរដ្ឋ អ្នកភូមិ មេភូមិ អ្នកស្រុក នយោបាយ បោះឆ្នោត កេរ្តិ៍ឈ្មោះ អ្នកប្រកួតប្រជែង
        គូប្រជែង ទីផ្សារ អតិថិជន ដៃគូ ភ្ញៀវទេសចរ គោលដៅ វិសាលភាព តម្រូវការ រាំងស្ងួត គ្រោះរាំងស្ងួត រញ្ជួយដី ជំងឺរាតត្បាត សារព័ត៌មាន មិនគាំទ្រ ការគាំទ្រ មតិសាធារណៈ
        """,
}


def _inflect(word: str) -> set[str]:
    """Return the regular forms of a noun or verb, with some that do not exist."""
    forms = {word, word + "s"}
    if word.endswith("e"):
        forms |= {word + "d", word[:-1] + "ing"}
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        forms |= {word[:-1] + "ies", word[:-1] + "ied", word + "ing"}
    else:
        forms |= {word + "ed", word + "ing", word + "es"}
        if len(word) < 7 and re.search(r"[^aeiou][aeiou][bdgklmnprt]$", word):
            forms |= {word + word[-1] + "ed", word + word[-1] + "ing"}
    return forms


def _all_forms(word: str) -> list[str]:
    return [*_inflect(word), *IRREGULAR_FORMS.get(word, "").split()]


def _tags_by_word(*sources: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Turn words by tag into tags by word, in the order of the sources."""
    # a dict keeps the order and drops what comes twice
    tags: dict[str, dict[str, None]] = {}
    for source in sources:
        for tag, words in source.items():
            for word in words:
                tags.setdefault(word, {})[tag] = None
    return {word: tuple(known) for word, known in tags.items()}


LEXICON = _tags_by_word(
    {tag: [form for word in words.split() for form in _all_forms(word)] for tag, words in BASE_FORMS.items()},
    {tag: words.split() for tag, words in EXACT_FORMS.items()},
)
DATE_WORDS = frozenset(DATES.split())
KHMER_LEXICON = _tags_by_word({tag: words.split() for tag, words in KHMER_WORDS.items()})
KHMER_WORD = re.compile("|".join(sorted(KHMER_LEXICON, key=len, reverse=True)))
